"""Keys, JWS, JWT and DPoP behind one strict front: the key record decides, the token never does."""
