"""Tables, one module per wing; all in one `metadata`. Types: Text, BigInteger, LargeBinary only."""
