"""Weights of samples by how common what they hold is: words of captions, characters of texts, tags.

The head is thinned as MetaCLIP does (Xu et al. 2023): of a concept that more than `most` samples hold, each of them is
taken with the chance most / count, and a sample stays when any of its concepts takes it. The tail is lifted as repeat
factor sampling does (Gupta, Dollár and Girshick 2019): a concept that fewer than the share `lift` of all samples hold
asks for √(lift / share) repeats, and a sample gets the most that any of its concepts asks for.
"""

from pydantic import Field, model_validator

from dataengine.config import Config


class Concepts(Config):
    """`of`: SQL for a list of texts. See above for the others."""

    of: str
    most: int | None = Field(None, gt=0)
    lift: float | None = Field(None, gt=0, le=1)

    @model_validator(mode="after")
    def _something(self) -> "Concepts":
        if self.most is None and self.lift is None:
            raise ValueError("give `most`, `lift` or both")
        return self

    def weights(self, kept: str) -> str:
        """SQL for phase, part, row and weight of every row of `kept`, which has a list `concepts`. A sample without any
        weighs 1."""
        taken = f"least(1, {self.most} / n)" if self.most else "1"
        lifted = f"greatest(1, sqrt({self.lift} / (n / total)))" if self.lift else "1"
        return f"""
            with held as (select phase, part, row, unnest(list_distinct(concepts)) as concept from {kept}),
            common as (select phase, concept, count(*) as n from held group by all),
            sizes as (select phase, count(*) as total from {kept} group by phase),
            asked as (
                select phase, concept, {taken} as taken, {lifted} as lifted from common join sizes using (phase)
            ),
            weighed as (
                select phase, part, row, (1 - product(1 - taken)) * max(lifted) as weight
                from held join asked using (phase, concept) group by phase, part, row
            )
            select phase, part, row, coalesce(weight, 1) as weight
            from {kept} left join weighed using (phase, part, row)
        """
