"""What can be ablated: each method's named parts, their values and labels. No torch here."""
