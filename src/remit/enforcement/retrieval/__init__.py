"""Documents before they reach an agent: lists in results, conditions for stores, who may see which.

Imports the gateway's Protocols and the decision's forms; decides nothing by itself.
"""
