"""Networks: specs read with their positions, and a table of layers named as in torch."""
