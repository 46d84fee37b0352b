"""The MMDiT trainer: it reads shards and knows no stage."""
