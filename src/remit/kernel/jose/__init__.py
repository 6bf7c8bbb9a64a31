"""Keys and signatures: a strict front over well-kept primitives (RFC 7515-7519, 7638, 8725, 9449)."""
