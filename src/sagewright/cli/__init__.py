"""The command line and the composition root (`assembly.py`), which alone imports every room."""
