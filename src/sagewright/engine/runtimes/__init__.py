"""The sandboxes, one file each, behind the `Runtime` protocol of `runtime.py`; `choose.py` picks one."""
