"""The user's script of XGBoost script mode."""

import argparse
import os

import xgboost


def model_fn(model_dir):
    booster = xgboost.Booster()
    booster.load_model(model_dir + "/xgboost-model")
    return booster


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--num_round", type=int)
    parser.add_argument("--max_depth", type=int)
    args = parser.parse_args()
    rows = xgboost.DMatrix(os.environ["SM_CHANNEL_TRAIN"] + "/rows.csv?format=csv&label_column=0")
    booster = xgboost.train({"max_depth": args.max_depth, "objective": "binary:logistic"}, rows, args.num_round)
    print("trees:", booster.num_boosted_rounds())
    booster.save_model(os.environ["SM_MODEL_DIR"] + "/xgboost-model")
