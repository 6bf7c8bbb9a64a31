"""The protocol of delegation across domains: grants that leave, grants that are redeemed, transactions."""
