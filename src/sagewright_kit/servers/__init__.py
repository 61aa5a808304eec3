"""Model servers: one data plane for every framework, `python -m sagewright_kit.servers.serve`.

http speaks HTTP, worker runs one model in one process, supervisor keeps the workers, serve puts them together; a
front (sklearn, xgboost, pytorch, built-in XGBoost) turns a request into an answer.

Covered: /ping, /invocations, /execution-parameters, streaming answers, user modules with model_fn, input_fn,
predict_fn, output_fn, transform_fn, status codes of each framework's own stack, one worker per processor, restart of
crashed workers, bounded queues, graceful stop, TCP and a Unix socket at once.
Not covered: the multi-model /models API, the bidirectional WebSocket, Triton and DJL.
"""
