"""What an operator may choose: typed, with a unit, a sentence and a safe value when absent.

File < environment < flag. An unknown name is an error; an unsafe whole is a refusal to start.
"""
