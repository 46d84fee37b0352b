"""Judging a checkpoint: what it can write, its loss on pictures that it was not trained on, its tokenizer's losses."""

from dataengine.trainer.evaluate.evaluation import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
