"""S3 over local disk (or, with `Config.s3_url`, a pass-through to an external S3).

Covered: buckets; put, get, head, delete, copy; ranges and parts; conditional reads and writes; listing v1, v2 and of
versions; versioning; multipart uploads; checksums of every algorithm in the model; user metadata, tags, ACLs,
ownership controls, bucket policies, public access blocks, Object Lock; POST-form uploads and CORS preflights. Recorded
and returned, without effect yet: lifecycle, notification, logging, website, replication, accelerate, request payment,
analytics, inventory, metrics and intelligent tiering configurations; SSE-S3 and SSE-KMS members.

Not covered, refused: SSE-C, append, rename, select, restore, torrents, metadata tables, directory
buckets and sessions, annotations.

State: the index is in `tables.py`; bytes up to 32 KiB are in the row, larger ones in blob files (`files.py`). A put is
durable before it is answered, and a kill at any time leaves the old object or the new one.
"""
