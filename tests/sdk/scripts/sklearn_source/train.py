"""The user's training script: fits a small tree and prints a metric."""

import argparse
import json
import os

import inflection  # from requirements.txt
import joblib
import numpy as np
import pandas as pd
from flowers import LABEL, features  # from the estimator's dependencies
from sklearn.tree import DecisionTreeClassifier


def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))


def output_fn(prediction, accept):
    names = [inflection.camelize(f"class_{int(label)}") for label in prediction]
    return json.dumps(names), "application/json"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-leaf-nodes", type=int, default=-1)
    parser.add_argument("--note", default="")
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    args = parser.parse_args()
    frame = pd.read_csv(os.path.join(args.train, "flowers.csv"))
    tree = DecisionTreeClassifier(max_leaf_nodes=args.max_leaf_nodes, random_state=0)
    tree.fit(features(frame), frame[LABEL])
    accuracy = np.mean(tree.predict(features(frame)) == frame[LABEL])
    print(f"note is {args.note!r}, leaves {tree.get_n_leaves()}")
    print(f"train_accuracy={accuracy:.4f};")
    joblib.dump(tree, os.path.join(args.model_dir, "model.joblib"))
