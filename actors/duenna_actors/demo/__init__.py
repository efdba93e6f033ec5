"""`duenna demo`: a trading bot against a local exchange that misbehaves on a schedule.

`docs/demo.md` says what there is to see. `examples/trading_bot.py` is the same bot as a program of its own.
"""
