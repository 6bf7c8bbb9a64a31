"""The enforcement point's core: what any place that acts must do before, during and after."""
