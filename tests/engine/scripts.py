"""What the jobs and servers of these tests run, and how their results are looked at."""

from __future__ import annotations

import http.client
import io
import socket
import tarfile

CALL_HOME = """
import socket
print('interfaces', [name for _, name in socket.if_nameindex()])
import json, os, urllib.request
def get(url, **headers):
    try: return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5).read().decode()
    except urllib.error.HTTPError as error: return str(error.code)
    except OSError as error: return 'unreachable'
print('gateway', get(os.environ.get('AWS_ENDPOINT_URL', 'http://localhost:%d') + '/in/x'))
where = os.environ.get('AWS_CONTAINER_CREDENTIALS_FULL_URI')
if where:
    print('refused', get(where, Authorization='guess'))
    print('keys', json.loads(get(where, Authorization=os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN']))['AccessKeyId'])
print('canary', get('http://localhost:%d/'))
print('env', sorted(name for name in os.environ if name.startswith('AWS_')))
"""

SERVER = """
import http.server, os, socket, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def address_string(self): return ''
    def log_message(self, *args): pass
    def reply(self, body):
        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers()
        self.wfile.write(body)
    def do_GET(self): self.reply(b'')
    def do_POST(self):
        data = self.rfile.read(int(self.headers['Content-Length']))
        if data == b'die': os._exit(5)
        self.reply(open('/opt/ml/model/m.txt', 'rb').read() + data)
"""
ON_PORT = SERVER + "http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Handler).serve_forever()"
ON_SOCKET = SERVER + """
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): pass
Server(os.environ['SAGEWRIGHT_SERVE_SOCKET'], Handler).serve_forever()
"""


class Connection(http.client.HTTPConnection):
    """What the router does, in small."""

    def __init__(self, address):
        super().__init__("localhost", timeout=20)
        self.path = address["unix"]

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


def ask(address, body):
    connection = Connection(address)
    connection.request("POST", "/invocations", body)
    with connection.getresponse() as response:
        return response.read()


def model(lab, number=1):
    packed = lab.aws.get(f"s3://out/job-{number}/output/model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return {m.name: tar.extractfile(m).read() if m.isreg() else m.linkname for m in tar}
