"""Images as environments: which image URI means which Python environment, and how that is built and kept.

The room implements `core.seams.Images` (`shelf.Shelf`); nothing else of it is used from outside but the command
`python -m sagewright.images`.

| module       | what it holds                                                                   |
|--------------|---------------------------------------------------------------------------------|
| uris         | image URIs taken apart and recognised (pure; facts in registries.json)          |
| catalogue    | the table of environments: versions and Pythons; which tag names which           |
| choose       | which environment serves a tag on this machine, exact or nearest (pure)         |
| interpreters | the Pythons that the machine has                                                |
| indexes      | pip's settings in uv's words; wheels at hand                                    |
| lock         | the locked lists: made, read, varied                                            |
| build        | the content-addressed cache: built once, whole or not at all                    |
| kit          | the job-side package and its commands inside each environment                   |
| shelf        | the seam                                                                        |
| generate     | writes registries.json from the tables of AWS's SDKs                            |

Covered: the tags that `image_uris.retrieve` of SageMaker SDK v2 and v3 yields for XGBoost (algorithm and script mode),
scikit-learn and PyTorch (training and inference), all regions and partitions; exact library versions by tag.

Not covered: TensorFlow, Hugging Face, MXNet and the other families ("unavailable"); Python 2 images; images by
digest; a user's own images in ECR (refused as a missing repository until the registry room exists); GPU builds on
purpose (a GPU tag runs the CPU environment and says so); locks for other platforms than Linux on x86_64. Which versions
each tag gets, and which could not be had exactly, stands in docs/images.md.
"""
