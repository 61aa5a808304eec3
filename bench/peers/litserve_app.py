"""LitServe serving the bench's model. Usage: litserve_app.py MODEL PORT WORKERS"""
import sys

import joblib
import litserve
import numpy as np


class Api(litserve.LitAPI):
    def setup(self, device):
        self.model = joblib.load(sys.argv[1])

    def decode_request(self, request):
        return np.asarray(request["instances"], dtype=np.float32)

    def predict(self, rows):
        return self.model.predict(rows)

    def encode_response(self, prediction):
        return {"predictions": prediction.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=int(sys.argv[3]))
    server.run(host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", generate_client_file=False,
               num_api_servers=1)
