"""A small server on loopback that speaks the Hub's protocol, and fails in the ways that the Hub fails.

What it speaks, as the real client asks it:
HEAD and GET /{repo}/resolve/{revision}/{file} with ETag and X-Repo-Commit, GET /api/models/{repo} and
/api/models/{repo}/revision/{revision}, X-Error-Code on 401, 403 and 404. For those whose token is in
`writers` also GET /api/models/{repo}/tree/{revision}, and POST /api/repos/create, /api/validate-yaml and
/api/models/{repo}/branch|preupload|commit/{revision}.
"""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Files = Mapping[str, bytes]


@dataclass
class Repository:
    """Commits by their hash, branches and tags by their name, and who may read."""

    commits: dict[str, Files] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    gated: bool = False

    def commit(self, files: Files, *, ref: str = "main") -> str:
        name = hashlib.sha1(f"{len(self.commits)}".encode()).hexdigest()
        self.commits[name] = files
        self.refs[ref] = name
        return name


@dataclass
class Faults:
    """What goes wrong; names are of files, "api" is the repository's description."""

    status: dict[str, int] = field(default_factory=dict)
    fail_first: dict[str, int] = field(default_factory=dict)  # answer 503 so many times, then be well
    cut_after: dict[str, int] = field(default_factory=dict)  # close the line after so many bytes of the body
    cut_once: dict[str, int] = field(default_factory=dict)
    lose: dict[str, int] = field(default_factory=dict)  # send a body that is short by so many bytes
    silent: set[str] = field(default_factory=set)  # never answer; also "GET name"
    no_range: bool = False  # ignore Range, as some proxies do
    seconds_per_byte: float = 0.0


class HubServer:
    """The server; use as a context manager. `log` holds (method, path, headers) of each request."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.faults = Faults()
        self.log: list[tuple[str, str, dict[str, str]]] = []
        self.gate: threading.Barrier | None = None  # the first requests for "api" wait for each other
        self.released = threading.Event()
        self.writers: set[str] = set()  # tokens
        handler = type("BoundHandler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "HubServer":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Be gone: further connections are refused."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def create(self, repo_id: str, files: Files, **settings: object) -> Repository:
        repository = Repository(**settings)  # type: ignore[arg-type]
        repository.commit(files)
        self.repositories[repo_id] = repository
        return repository

    def requests(self, method: str, part: str) -> list[tuple[str, str, dict[str, str]]]:
        return [entry for entry in self.log if entry[0] == method and part in entry[1]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.hub.log.append(("POST", path, {key.lower(): value for key, value in self.headers.items()}))
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.hub.writers:
            self.send(403)
        elif path == "/api/repos/create":
            wanted = json.loads(body)
            repo_id = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
            exists = repo_id in self.hub.repositories
            if not exists:
                self.hub.create(repo_id, {".gitattributes": b""})
            self.send_json({"url": f"{self.hub.endpoint}/{repo_id}"}, status=409 if exists else 200)
        elif path == "/api/validate-yaml":
            self.send_json({"warnings": [], "errors": []})
        else:
            owner, name, action, revision = path.removeprefix("/api/models/").split("/", 3)
            self.write_to(f"{owner}/{name}", action, revision, body)

    def write_to(self, repo_id: str, action: str, revision: str, body: bytes) -> None:
        repository = self.hub.repositories[repo_id]
        if action == "branch":
            repository.refs.setdefault(revision, repository.refs["main"])
            self.send_json({})
        elif action == "preupload":
            paths = [file["path"] for file in json.loads(body)["files"]]
            files = [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths]
            self.send_json({"files": files})
        elif action == "commit":
            files = dict(repository.commits[repository.refs[revision]])
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    del files[line["value"]["path"]]
            url = f"{self.hub.endpoint}/{repo_id}"
            commit = repository.commit(files, ref=revision)
            self.send_json(
                {"commitUrl": f"{url}/commit/{commit}", "commitOid": commit, "pullRequestUrl": url}
            )

    def send_json(self, content: Any, *, status: int = 200) -> None:
        self.send(status, {"Content-Type": "application/json"}, json.dumps(content).encode())

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.log.append((self.command, path, {key.lower(): value for key, value in self.headers.items()}))
        if "/tree/" in path:
            repo_id, _, revision = path.removeprefix("/api/models/").partition("/tree/")
            repository = self.hub.repositories[repo_id]
            files = repository.commits[repository.refs[revision]]
            self.send_json([{"type": "file", "path": p, "size": len(files[p]), "oid": "0"} for p in files])
        elif path.startswith("/api/models/"):
            repo_id, _, revision = path.removeprefix("/api/models/").partition("/revision/")
            self.guarded("api", repo_id, revision or "main", None)
        elif "/resolve/" in path:
            repo_id, _, rest = path.removeprefix("/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            self.guarded(name, repo_id, revision, name)
        else:
            self.send(404)

    def guarded(self, fault: str, repo_id: str, revision: str, name: str | None) -> None:
        faults = self.hub.faults
        if {fault, f"{self.command} {fault}"} & faults.silent:
            self.hub.released.wait()
            self.close_connection = True
            return None
        if fault in faults.status:
            return self.send(faults.status[fault])
        if faults.fail_first.get(fault, 0) > 0:
            faults.fail_first[fault] -= 1
            return self.send(503)
        repository = self.hub.repositories.get(repo_id)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token == "wrong":
            return self.send(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        if repository is None or (repository.token and token != repository.token):
            return self.send(404 if token else 401, {"X-Error-Code": "RepoNotFound"})
        commit = repository.refs.get(revision, revision)
        if commit not in repository.commits:
            return self.send(404, {"X-Error-Code": "RevisionNotFound"})
        files = repository.commits[commit]
        if name is None:
            if self.hub.gate is not None:
                self.hub.gate.wait(timeout=60)
            siblings = [{"rfilename": file} for file in files]
            return self.send_json({"id": repo_id, "sha": commit, "siblings": siblings})
        if repository.gated:
            return self.send(403, {"X-Error-Code": "GatedRepo"})
        if name not in files:
            return self.send(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        return self.send_file(name, files[name], commit)

    def send_file(self, name: str, data: bytes, commit: str) -> None:
        faults = self.hub.faults
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": commit}
        wanted = self.headers.get("Range", "")
        if self.command == "HEAD":
            return self.send(200, headers, data)
        start = 0 if faults.no_range or not wanted else int(wanted.removeprefix("bytes=").rstrip("-"))
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        body = data[start : len(data) - faults.lose.get(name, 0)]
        cut = faults.cut_once.pop(name, faults.cut_after.get(name))
        return self.send(
            206 if start else 200, headers, body, cut=None if cut is None else max(cut - start, 0)
        )

    def send(
        self,
        status: int,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        if cut is not None:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.hub.faults.seconds_per_byte and len(body) > 1000:
            step = 10_000
            for start in range(0, len(body), step):
                time.sleep(step * self.hub.faults.seconds_per_byte)
                self.wfile.write(body[start : start + step])
        else:
            self.wfile.write(body[:cut])
