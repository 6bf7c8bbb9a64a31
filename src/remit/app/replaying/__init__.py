"""A candidate policy over the decisions on record (N5): read page by page, judged here or beside."""
