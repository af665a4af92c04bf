#!/usr/bin/env python3
"""What answers `docker search`: search_index.py PORT. Five repositories whatever the term, the first of them official."""
import http.server
import json
import sys
import urllib.parse


class Index(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        q = urllib.parse.parse_qs(url.query)
        rows = [{"name": f"{q['q'][0]}{i}", "description": "many words " * 9 if i else "a\nfew", "star_count": 10 - i,
                 "is_official": i == 0} for i in range(min(5, int(q.get("n", ["0"])[0])))]
        body = json.dumps({"num_results": 5, "results": rows}).encode() if url.path == "/v1/search" else b"{}"
        self.send_response(200 if url.path in ("/v1/search", "/v2/") else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Index).serve_forever()
