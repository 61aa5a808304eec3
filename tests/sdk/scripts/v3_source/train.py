"""The user's training script of the SDK 3 test."""

import argparse
import json
import os

import inflection  # from requirements.txt
import joblib
import pandas as pd
from sklearn.linear_model import LogisticRegression

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--inverse-strength", type=float)
    parser.add_argument("--labels", type=json.loads)
    args = parser.parse_args()
    frame = pd.read_csv(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "flowers.csv"))
    model = LogisticRegression(C=args.inverse_strength, max_iter=500)
    model.fit(frame.drop(columns=["species"]).to_numpy(), frame["species"])
    score = model.score(frame.drop(columns=["species"]).to_numpy(), frame["species"])
    print(f"{inflection.titleize('final_score')} of {args.labels}: score={score:.3f};")
    print("hyperparameters:", os.environ["SM_HPS"])
    joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
