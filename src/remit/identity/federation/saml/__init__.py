"""SAML 2.0 assertions of others: read strictly, verified by keys of our own record, and judged."""
