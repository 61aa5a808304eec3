// The AWS SDK for JavaScript against AWS_ENDPOINT_URL: its own defaults on the wire differ from boto3's.
// Usage: node smoke.mjs ENDPOINT_NAME BUCKET. Prints one line per check; exit status 1 if one fails.
import assert from "node:assert/strict";
import dns from "node:dns";
import { Readable } from "node:stream";
import * as SageMaker from "@aws-sdk/client-sagemaker";
import * as Runtime from "@aws-sdk/client-sagemaker-runtime";
import * as S3 from "@aws-sdk/client-s3";
import * as STS from "@aws-sdk/client-sts";
import * as Logs from "@aws-sdk/client-cloudwatch-logs";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

// Not every resolver knows that *.localhost is this machine (RFC 6761); Node asks the resolver.
const lookup = dns.lookup;
dns.lookup = (name, options, done) => lookup(name.endsWith(".localhost") ? "localhost" : name, options, done);

const [endpointName, bucket] = process.argv.slice(2);
const s3 = new S3.S3Client({ forcePathStyle: true });
const virtual = new S3.S3Client({});
const sagemaker = new SageMaker.SageMakerClient({});
const runtime = new Runtime.SageMakerRuntimeClient({});
let failures = 0;

async function check(name, work) {
  try {
    await work();
    console.log(`PASS ${name}`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL ${name}: ${error.stack}`);
  }
}

await check("the caller's identity", async () => {
  const who = await new STS.STSClient({}).send(new STS.GetCallerIdentityCommand({}));
  assert.match(who.Arn, /^arn:aws:sts::\d{12}:assumed-role\//);
});
await check("a stream is sent in chunks with a trailing checksum and comes back whole", async () => {
  const body = Buffer.alloc(300000, "abcdefg");
  const parts = [body.subarray(0, 100000), body.subarray(100000)];
  await s3.send(new S3.PutObjectCommand({ Bucket: bucket, Key: "js/stream é", Body: Readable.from(parts), ContentLength: body.length }));
  const got = await s3.send(new S3.GetObjectCommand({ Bucket: bucket, Key: "js/stream é", ChecksumMode: "ENABLED" }));
  assert.ok(body.equals(Buffer.from(await got.Body.transformToByteArray())));
  assert.equal(got.ContentEncoding, undefined);
});
for (const algorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
  await check(`checksum ${algorithm}`, async () => {
    const put = await s3.send(new S3.PutObjectCommand({ Bucket: bucket, Key: `js/${algorithm}`, Body: "data", ChecksumAlgorithm: algorithm }));
    const head = await s3.send(new S3.HeadObjectCommand({ Bucket: bucket, Key: `js/${algorithm}`, ChecksumMode: "ENABLED" }));
    assert.ok(put[`Checksum${algorithm}`]);
    assert.equal(head[`Checksum${algorithm}`], put[`Checksum${algorithm}`]);
  });
}
await check("an upload in parts", async () => {
  const body = Buffer.alloc(11 * 1024 * 1024, 7);
  await new Upload({ client: s3, params: { Bucket: bucket, Key: "js/parts", Body: body }, partSize: 5 * 1024 * 1024 }).done();
  const head = await s3.send(new S3.HeadObjectCommand({ Bucket: bucket, Key: "js/parts" }));
  assert.equal(head.ContentLength, body.length);
  assert.match(head.ETag, /-3"$/);
});
await check("pages of a listing", async () => {
  let keys = 0;
  for await (const page of S3.paginateListObjectsV2({ client: s3, pageSize: 3 }, { Bucket: bucket, Prefix: "js/" })) keys += page.Contents.length;
  assert.equal(keys, 7);
});
await check("presigned addresses, and a tampered one", async () => {
  const put = await getSignedUrl(s3, new S3.PutObjectCommand({ Bucket: bucket, Key: "js/signed" }), { expiresIn: 60 });
  assert.equal((await fetch(put, { method: "PUT", body: "signed!" })).status, 200);
  const get = await getSignedUrl(s3, new S3.GetObjectCommand({ Bucket: bucket, Key: "js/signed" }), { expiresIn: 60 });
  assert.equal(await (await fetch(get)).text(), "signed!");
  assert.equal((await fetch(get.replace(/X-Amz-Signature=.{8}/, "X-Amz-Signature=00000000"))).status, 403);
});
await check("a bucket as host name", async () => {
  const got = await virtual.send(new S3.GetObjectCommand({ Bucket: bucket, Key: "js/signed" }));
  assert.equal(await got.Body.transformToString(), "signed!");
});
await check("errors have their classes", async () => {
  await assert.rejects(s3.send(new S3.GetObjectCommand({ Bucket: bucket, Key: "js/none" })), S3.NoSuchKey);
  await assert.rejects(sagemaker.send(new SageMaker.DescribeModelCommand({ ModelName: "none" })), { name: "ValidationException" });
  await assert.rejects(runtime.send(new Runtime.InvokeEndpointCommand({ EndpointName: "none", Body: "x" })), { name: "ValidationError" });
});
await check("describe and list", async () => {
  const endpoint = await sagemaker.send(new SageMaker.DescribeEndpointCommand({ EndpointName: endpointName }));
  assert.equal(endpoint.EndpointStatus, "InService");
  assert.ok(endpoint.CreationTime instanceof Date && !Number.isNaN(endpoint.CreationTime.getTime()));
  const names = [];
  for await (const page of SageMaker.paginateListEndpoints({ client: sagemaker, pageSize: 1 }, { NameContains: endpointName })) names.push(...page.Endpoints.map((e) => e.EndpointName));
  assert.deepEqual(names, [endpointName]);
});
await check("an invocation", async () => {
  const answer = await runtime.send(new Runtime.InvokeEndpointCommand({ EndpointName: endpointName, ContentType: "application/json", Body: '{"parts": 2}' }));
  assert.equal(answer.InvokedProductionVariant, "V");
  assert.equal(answer.ContentType.split(";")[0], "text/plain");
  assert.equal(Buffer.from(answer.Body).toString(), "part 0\npart 1\n");
});
await check("a streamed invocation", async () => {
  const answer = await runtime.send(new Runtime.InvokeEndpointWithResponseStreamCommand({ EndpointName: endpointName, ContentType: "application/json", Body: '{"parts": 3}' }));
  let text = "";
  for await (const event of answer.Body) text += Buffer.from(event.PayloadPart.Bytes).toString();
  assert.equal(text, "part 0\npart 1\npart 2\n");
});
await check("logs", async () => {
  const logs = new Logs.CloudWatchLogsClient({}), logGroupName = `/js/${endpointName}`;
  await logs.send(new Logs.CreateLogGroupCommand({ logGroupName }));
  await logs.send(new Logs.CreateLogStreamCommand({ logGroupName, logStreamName: "s" }));
  await logs.send(new Logs.PutLogEventsCommand({ logGroupName, logStreamName: "s", logEvents: [{ timestamp: Date.now(), message: "hello" }] }));
  const got = await logs.send(new Logs.GetLogEventsCommand({ logGroupName, logStreamName: "s", startFromHead: true }));
  assert.deepEqual(got.events.map((event) => event.message), ["hello"]);
});
process.exit(failures ? 1 : 0);
