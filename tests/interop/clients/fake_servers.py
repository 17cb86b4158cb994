"""Servers that answer as others do, and as broken ones do: `python3 fake_servers.py CONFIG`.

Writes a configuration with a backend for each into CONFIG and serves until it is ended. The control server, whose
address is the first line of CONFIG, changes how a fake behaves (`POST /NAME/MODE`) and tells what it was asked
(`GET /NAME`).
"""

import gzip
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = ["The", " answer", " is", " 42", "."]
HTML = b"<!doctype html><html><body><h1>It works!</h1></body></html>"


def vllm_models(names):
    entry = {"object": "model", "created": 1700000000, "owned_by": "vllm", "parent": None, "max_model_len": 4096}
    return {"object": "list", "data": [{"id": name, "root": name, "permission": [], **entry} for name in names]}


def ollama_models(names):
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 1700000000, "owned_by": "library"} for name in names],
    }


def usage(shape):
    counts = {"prompt_tokens": 9, "completion_tokens": len(WORDS), "total_tokens": 9 + len(WORDS)}
    return counts | ({"prompt_tokens_details": None} if shape == "vllm" else {})


def whole(shape, model):
    message = {"role": "assistant", "content": "".join(WORDS)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"object": "chat.completion", "created": int(time.time()), "model": model, "usage": usage(shape)}
    if shape == "vllm":
        message |= {"reasoning_content": None, "tool_calls": [], "refusal": None, "annotations": None, "audio": None}
        choice |= {"logprobs": None, "stop_reason": None, "token_ids": None}
        return {"id": "chatcmpl-1", **answer, "choices": [choice], "service_tier": None, "prompt_logprobs": None}
    return {"id": "chatcmpl-1", **answer, "choices": [choice], "system_fingerprint": "fp_ollama"}


def chunks(shape, model, wants_usage):
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": int(time.time()), "model": model}
    if shape == "vllm":
        yield {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
        for word in WORDS[:-1]:
            yield {**head, "choices": [{"index": 0, "delta": {"content": word}, "logprobs": None, "finish_reason": None}]}
        last = {"index": 0, "delta": {"content": WORDS[-1]}, "finish_reason": "stop", "stop_reason": None}
        yield {**head, "choices": [last]}
    else:
        head["system_fingerprint"] = "fp_ollama"
        for word in WORDS:
            delta = {"role": "assistant", "content": word}
            yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        last = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": "stop"}
        yield {**head, "choices": [last]}
    if wants_usage:
        yield {**head, "choices": [], "usage": usage(shape)}


def called(model):
    """A thought and a call, as vLLM streams them."""
    head = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": int(time.time()), "model": model}
    start = {"name": "get_weather", "arguments": ""}
    for delta in (
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Let me"},
        {"reasoning_content": " see"},
        {"tool_calls": [{"index": 0, "id": "chatcmpl-tool-1", "type": "function", "function": start}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": '}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Paris"}'}}]},
    ):
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}


class Fake(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, name, shape, models, mode="well"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.shape, self.models, self.mode = name, shape, models, mode
        self.asked, self.last, self.is_left = 0, None, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """Somebody went away, as the tests make them do."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def give(self, status, body, kind="application/json", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self):
        self.close_connection = True
        self.connection.close()

    def misbehaves(self):
        """Whether the mode is one in which nothing sensible is answered."""
        mode = self.server.mode
        if mode == "dead":
            self.hang_up()
        elif mode == "hangs":
            time.sleep(60)
            self.hang_up()
        elif mode == "html":
            self.give(200, HTML, "text/html")
        elif mode == "unauthorised":
            self.give(401, {"error": {"message": "Incorrect API key", "type": "invalid_request_error"}})
        elif mode == "redirect":
            self.give(302, b"", Location="http://127.0.0.1:9/v1/models")
        elif mode == "broken":
            self.give(500, {"error": {"message": "CUDA out of memory", "type": "InternalServerError"}})
        elif mode == "busy":
            self.give(429, {"error": {"message": "too many requests"}}, Retry_After="1")
        else:
            return False
        return True

    def do_GET(self):
        fake = self.server
        if self.misbehaves():
            return
        if self.path == "/v1/models":
            listed = vllm_models if fake.shape == "vllm" else ollama_models
            self.give(200, listed(fake.models))
        elif self.path == "/" and fake.shape == "ollama":
            self.give(200, b"Ollama is running", "text/plain; charset=utf-8")
        elif self.path == "/health" and fake.shape == "vllm":
            self.give(200, b"", "text/plain")
        else:
            self.give(404, {"detail": "Not Found"})

    def do_POST(self):
        fake = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/api/show":
            return self.give(200, {"capabilities": ["completion", "tools"]}) if fake.shape == "ollama" else self.give(404, {})
        fake.asked += 1
        if self.misbehaves():
            return
        asked = json.loads(body)
        fake.last = {"path": self.path, "body": asked, "headers": {name.lower(): value for name, value in self.headers.items()}}
        if self.path == "/v1/embeddings":
            texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
            data = [{"object": "embedding", "index": i, "embedding": [0.5, 0.25]} for i in range(len(texts))]
            counts = {"prompt_tokens": 2, "total_tokens": 2}
            self.give(200, {"object": "list", "model": asked["model"], "data": data, "usage": counts})
        elif self.path != "/v1/chat/completions":
            self.give(404, {"detail": "Not Found"})
        elif asked["model"] not in fake.models:
            message = f"The model `{asked['model']}` does not exist."
            self.give(404, {"error": {"message": message, "type": "NotFoundError", "param": "model", "code": 404}})
        elif fake.mode == "too long":
            message = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens."
            self.give(400, {"error": {"message": message, "type": "BadRequestError", "param": None, "code": 400}})
        else:
            self.answer(asked)

    def answer(self, asked):
        fake = self.server
        model = "another-model" if fake.mode == "lies" else asked["model"]
        if fake.mode == "another":
            model = next(name for name in fake.models if name != asked["model"])
        if bool(asked.get("stream")) != (fake.mode == "the other way"):
            wants_usage = (asked.get("stream_options") or {}).get("include_usage", False)
            return self.stream(called(model) if asked.get("tools") else chunks(fake.shape, model, wants_usage))
        answer = json.dumps(whole(fake.shape, model)).encode()
        if fake.mode == "gzip":
            return self.give(200, gzip.compress(answer), Content_Encoding="gzip")
        if fake.mode == "other shape":
            return self.give(200, {"output": "The answer is 42.", "ok": True})
        if fake.mode != "half":
            return self.give(200, answer)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer[: len(answer) // 2])
        self.hang_up()

    def stream(self, events):
        fake = self.server
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if fake.mode == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Connection", "close")
        self.end_headers()
        texts = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]
        if fake.mode == "gzip":
            return self.wfile.write(gzip.compress("".join(texts).encode()))
        if fake.mode == "other shape":
            return self.wfile.write(b'data: {"response":"The","done":false}\n\ndata: [DONE]\n\n')
        if fake.mode == "half":
            return self.wfile.write(("".join(texts[:3]) + texts[3][:20]).encode())
        if fake.mode == "cut":
            return self.wfile.write("".join(texts[:3]).encode())
        if fake.mode == "error inside":
            return self.wfile.write(("".join(texts[:3]) + 'data: {"error":{"message":"CUDA out of memory"}}\n\n').encode())
        if fake.mode == "endless":
            try:
                while True:
                    self.wfile.write(texts[1].encode())
                    self.wfile.flush()
                    time.sleep(0.05)
            except OSError:
                fake.is_left += 1
            return
        for text in texts:
            self.wfile.write(text.encode())
            self.wfile.flush()
            time.sleep(0.01)


class Control(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        fake = self.server.fakes[self.path.strip("/")]
        self.give({"asked": fake.asked, "last": fake.last, "is_left": fake.is_left})

    def do_POST(self):
        name, mode = self.path.strip("/").split("/")
        fake = self.server.fakes[name]
        fake.mode, fake.asked, fake.last, fake.is_left = mode.replace("-", " "), 0, None, 0
        self.give({})

    def give(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(config):
    fakes = [
        Fake("vllm", "vllm", ["Qwen/Qwen3-8B", "shared"]),
        Fake("ollama", "ollama", ["llama3.2:latest", "shared"]),
        Fake("odd", "vllm", ["odd-model", "odd-embed"]),
    ]
    control = ThreadingHTTPServer(("127.0.0.1", 0), Control)
    control.fakes = {fake.name: fake for fake in fakes}
    text = f"# http://127.0.0.1:{control.server_port}\n"
    for fake in fakes:
        shared = 'models = ["shared"]\n' if "shared" in fake.models else ""
        # With and without /v1, as people write it.
        path = "/v1" if fake.shape == "vllm" else ""
        text += f"[backends.{fake.name}]\nurl = \"http://127.0.0.1:{fake.server_port}{path}\"\n{shared}"
        text += f'key_file = "{config}.key"\nfirst_byte_within_s = 2\nanswer_within_s = 8\n'
    # Nobody has ever listened here.
    text += '[backends.gone]\nurl = "http://127.0.0.1:9"\nmodels = ["lost"]\n'
    text += '[models.aliases]\n"gpt-4o" = "vllm/Qwen/Qwen3-8B"\n'
    open(f"{config}.key", "w").write("sk-of-the-backend\n")
    open(config, "w").write(text)
    control.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
