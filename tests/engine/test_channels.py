"""Which objects land where."""

from __future__ import annotations

import json

import pytest

from sagewright.engine import channels
from sagewright.engine.channels import Fetch


@pytest.mark.parametrize(("uri", "keys", "paths"), [
    ("s3://b/train", ["train/a.csv", "train/d/b.csv"], ["a.csv", "d/b.csv"]),
    ("s3://b/train/", ["train/", "train/a.csv"], ["a.csv"]),
    ("s3://b/data/train.csv", ["data/train.csv"], ["train.csv"]),
    ("s3://b/data/tr", ["data/train/a.csv", "data/tr2.csv"], ["train/a.csv", "tr2.csv"]),
    ("s3://b", ["a.csv", "d/b.csv"], ["a.csv", "d/b.csv"]),
    ("s3://b/x", ["x", "x/y"], ["x", "y"]),
])
def test_a_prefix_gives_paths_below_it(uri, keys, paths):
    assert [fetch.path for fetch in channels.under_prefix(uri, [(key, 1) for key in keys])] == paths


def test_a_manifest_gives_its_relative_names():
    text = json.dumps([{"prefix": "s3://b/some/"}, "d/one.csv", "two.csv"])
    assert channels.in_manifest(text) == [Fetch("b", "some/d/one.csv", "d/one.csv"),
                                          Fetch("b", "some/two.csv", "two.csv")]


def test_an_augmented_manifest_gives_the_objects_of_its_reference_attributes_once():
    lines = [{"image-ref": "s3://b/i/1.png", "label": 1}, {"image-ref": "s3://b/i/1.png", "label": 2}]
    text = "\n".join(map(json.dumps, lines))
    assert channels.in_augmented_manifest(text, ["image-ref", "label"]) == [Fetch("b", "i/1.png", "i/1.png")]


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1]", '[{"prefix": "s3://b/"}, "../x"]', '[{"prefix": "/x"}, "a"]'])
def test_a_bad_manifest_is_unsafe(text):
    with pytest.raises(channels.Unsafe):
        channels.in_manifest(text)


@pytest.mark.parametrize("key", ["train/../../etc/passwd", "train/a//b", "train/./a", "train/" + "x" * 300,
                                 "train/a\0b"])
def test_a_key_that_is_no_path_is_refused(key):
    with pytest.raises(channels.Unsafe):
        channels.under_prefix("s3://b/train", [(key, 1)])


def test_shards_are_disjoint_and_complete():
    fetches = [Fetch("b", f"k{n}", f"k{n}") for n in range(10)]
    source = {"S3DataDistributionType": "ShardedByS3Key"}
    shares = [channels.share(fetches, source, host, 3) for host in range(3)]
    assert sorted(fetch.key for share in shares for fetch in share) == sorted(fetch.key for fetch in fetches)
    assert [len(share) for share in shares] == [4, 3, 3]
    assert channels.share(fetches, {}, 1, 3) == fetches


def test_a_key_that_is_file_and_directory_is_refused():
    with pytest.raises(channels.Unsafe, match="directory where another object is a file"):
        channels.share([Fetch("b", "a", "a"), Fetch("b", "a/b", "a/b")], {}, 0, 1)
