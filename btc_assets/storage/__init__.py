"""Where tables and models are kept: two small protocols and the backends behind them."""
