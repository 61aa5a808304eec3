"""Programs that name AWS hosts themselves: STS, S3 by virtual-hosted address, telemetry; with several HTTP clients."""

import io
import sys
import time
import urllib.error
import urllib.request

import boto3
import pandas
import requests


def main(bucket, region):
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key="public/rows.csv", Body=b"a,b\n1,2\n3,4\n")
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=(
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",'
        f'"Resource":"arn:aws:s3:::{bucket}/public/*"}}]}}'))
    for address in (f"https://{bucket}.s3.{region}.amazonaws.com/public/rows.csv",
                    f"https://{bucket}.s3.amazonaws.com/public/rows.csv",
                    f"https://s3.{region}.amazonaws.com/{bucket}/public/rows.csv"):
        assert pandas.read_csv(address)["b"].tolist() == [2, 4], address
        assert requests.get(address, timeout=20).text.startswith("a,b")
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert answer.read() == b"a,b\n1,2\n3,4\n"
    private = s3.put_object(Bucket=bucket, Key="private", Body=b"x") and requests.get(
        f"https://{bucket}.s3.{region}.amazonaws.com/private", timeout=20)
    assert private.status_code == 403 and "AccessDenied" in private.text, private.text

    sts = boto3.client("sts", endpoint_url=f"https://sts.{region}.amazonaws.com")
    assert sts.get_caller_identity()["Arn"] == boto3.client("sts").get_caller_identity()["Arn"]
    plain = boto3.Session().client("s3", endpoint_url=f"https://s3.{region}.amazonaws.com")
    plain.upload_fileobj(io.BytesIO(b"z" * 9_000_000), bucket, "by-name")
    assert plain.head_object(Bucket=bucket, Key="by-name")["ContentLength"] == 9_000_000
    signed = plain.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "private"}, 60)
    assert requests.get(signed, timeout=20).content == b"x"

    began = time.monotonic()
    telemetry = requests.get(f"https://sm-pysdk-t-{region}.s3.{region}.amazonaws.com/telemetry?x=1", timeout=20)
    assert telemetry.status_code == 200, telemetry.text
    assert time.monotonic() - began < 15
    try:
        urllib.request.urlopen("https://example.com/", timeout=20)
    except urllib.error.URLError as refused:
        print("refused:", refused)
    else:
        raise AssertionError("a host that is not AWS's was reached")
    print("host names work")


if __name__ == "__main__":
    main(*sys.argv[1:])
