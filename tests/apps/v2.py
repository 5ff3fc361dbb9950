"""v2: a page with a websocket.

Arguments: its port (default: the system's choice) and address; it prints the port when it is ready. A small chat: what one sends, all get, the sender too.
SIGUSR1: from then on its page is a 500; the next one: no longer.
"""

import asyncio
import signal
import sys

import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>tornado WebSocket example</title>
  <style>
    body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem; }
    #said { list-style: none; padding: 0; }
    #said li { border-bottom: 1px solid #ddd; padding: .25rem 0; }
    input { font: inherit; width: 70%; padding: .25rem; }
    button { font: inherit; padding: .25rem 1rem; }
  </style>
</head>
<body>
  <h1>tornado WebSocket example</h1>
  <p>This is v2. The websocket is <strong id="state">connecting</strong>.</p>
  <form id="form"><input id="text" autocomplete="off" autofocus aria-label="message"> <button>Send</button></form>
  <ul id="said"></ul>
  <script>
    const state = document.getElementById("state");
    const text = document.getElementById("text");
    const socket = new WebSocket((location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/ws");
    socket.onopen = () => { state.textContent = "open"; };
    socket.onclose = () => { state.textContent = "closed"; };
    socket.onmessage = (event) => {
      const line = document.createElement("li");
      line.textContent = event.data;
      document.getElementById("said").prepend(line);
    };
    document.getElementById("form").onsubmit = (event) => {
      event.preventDefault();
      if (text.value) socket.send(text.value);
      text.value = "";
    };
  </script>
</body>
</html>
"""


class Page(tornado.web.RequestHandler):
    is_broken = False

    def get(self):
        if self.is_broken:
            self.send_error(500)
        else:
            self.write(PAGE)

    head = get


def break_or_fix():
    Page.is_broken = not Page.is_broken


class Chat(tornado.websocket.WebSocketHandler):
    everybody = set()

    def open(self):
        self.everybody.add(self)

    def on_close(self):
        self.everybody.discard(self)

    def on_message(self, message):
        for each in self.everybody:
            each.write_message(message, binary=isinstance(message, bytes))


async def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    address = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    sockets = tornado.netutil.bind_sockets(port, address)
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", Page), ("/ws", Chat)]))
    server.add_sockets(sockets)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, break_or_fix)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
