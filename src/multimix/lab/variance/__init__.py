"""How much does the gradient of a step vary, by what, and which K makes the best of a second?"""
