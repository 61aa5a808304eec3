"""Ray Serve serving the bench's model. Usage: ray_app.py MODEL PORT WORKERS"""
import sys
import time

import joblib
import numpy as np
import ray
from ray import serve


@serve.deployment(num_replicas=int(sys.argv[3]), ray_actor_options={"num_cpus": 0.1}, max_ongoing_requests=64)
class Model:
    def __init__(self, path):
        self.model = joblib.load(path)

    async def __call__(self, request):
        rows = np.asarray((await request.json())["instances"], dtype=np.float32)
        return {"predictions": self.model.predict(rows).tolist()}


if __name__ == "__main__":
    ray.init(include_dashboard=False, num_cpus=4, logging_level="warning")
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Model.bind(sys.argv[1]), route_prefix="/predict")
    while True:
        time.sleep(60)
