"""The MMDiT trainer: shards in, checkpoints and pictures out. It reads Parquet and knows no stage.

`loop.train(config)` and `sample.sample(checkpoint, prompts, …)` are the two ways in. The rest, from the ground up:
`rope`, `mmdit` (the transformer), `text` (the condition), `patchify` (pixels and tokens), `text_to_image` (the three
joined), `flow` (what is learned and how it is sampled), `data` (shards into batches), `checkpoint`, `config`.
"""
