#!/usr/bin/env python3
"""What a desktop has and Xvfb lacks: a host for tray icons on the session bus, and a hand that closes windows.

Reads commands as lines of JSON, answers each with a line of JSON:
  {"do": "menu"}              the menu of the one tray icon: [{"id", "label", "enabled"}], or null without an icon
  {"do": "click", "id": 4}    clicks an entry
  {"do": "close", "title": T} asks the window with this title to close, as its close button does
Prints "ready" once it owns the name that programs look for.
"""
import json
import sys
import threading

from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_call, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

WATCHER = "org.kde.StatusNotifierWatcher"
items = []


def watch(connection):
    """Answers programs that bring an icon."""
    while True:
        message = connection.receive()
        if message.header.message_type is not MessageType.method_call:
            continue
        fields = message.header.fields
        member, sender = fields[HeaderFields.member], fields[HeaderFields.sender]
        if member == "RegisterStatusNotifierItem":
            name = message.body[0]
            items.append((sender, name) if name.startswith("/") else (name, "/StatusNotifierItem"))
            reply = new_method_return(message)
        elif member == "Get":
            values = {
                "IsStatusNotifierHostRegistered": ("b", True),
                "ProtocolVersion": ("i", 0),
                "RegisteredStatusNotifierItems": ("as", []),
            }
            reply = new_method_return(message, "v", (values[message.body[1]],))
        elif member == "GetAll":
            reply = new_method_return(message, "a{sv}", ({"IsStatusNotifierHostRegistered": ("b", True), "ProtocolVersion": ("i", 0)},))
        elif member == "RegisterStatusNotifierHost":
            reply = new_method_return(message)
        else:
            reply = new_error(message, "org.freedesktop.DBus.Error.UnknownMethod")
        connection.send(reply)


def call(connection, bus, path, interface, member, signature=None, body=()):
    address = DBusAddress(path, bus_name=bus, interface=interface)
    reply = connection.send_and_get_reply(new_method_call(address, member, signature, body), timeout=10)
    if reply.header.message_type is MessageType.error:
        raise RuntimeError(f"{member}: {reply.body}")
    return reply.body


def menu_of(connection):
    bus, path = items[-1]
    found = call(connection, bus, path, "org.freedesktop.DBus.Properties", "Get", "ss", ("org.kde.StatusNotifierItem", "Menu"))
    return bus, found[0][1]


def menu(connection):
    if not items:
        return None
    bus, path = menu_of(connection)
    _, (_, _, children) = call(connection, bus, path, "com.canonical.dbusmenu", "GetLayout", "iias", (0, -1, []))
    entries = []
    for _, (number, properties, _) in children:
        if "label" in properties:
            enabled = properties.get("enabled", ("b", True))[1]
            entries.append({"id": number, "label": properties["label"][1], "enabled": enabled})
    return entries


def click(connection, number):
    bus, path = menu_of(connection)
    call(connection, bus, path, "com.canonical.dbusmenu", "Event", "isvu", (number, "clicked", ("i", 0), 0))
    return True


def close(title):
    from Xlib import X, display
    from Xlib.protocol.event import ClientMessage

    screen = display.Display()
    protocols, delete = screen.intern_atom("WM_PROTOCOLS"), screen.intern_atom("WM_DELETE_WINDOW")
    waiting = [screen.screen().root]
    while waiting:
        window = waiting.pop()
        waiting.extend(window.query_tree().children)
        properties = window.get_wm_protocols()
        if window.get_wm_name() == title and delete in properties:
            window.send_event(ClientMessage(window=window, client_type=protocols, data=(32, [delete, X.CurrentTime, 0, 0, 0])))
            screen.flush()
            return True
    return False


def main():
    served = open_dbus_connection(bus="SESSION")
    asking = open_dbus_connection(bus="SESSION")
    if served.send_and_get_reply(message_bus.RequestName(WATCHER)).body[0] != 1:
        sys.exit("another tray host runs on this bus")
    threading.Thread(target=watch, args=(served,), daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if command["do"] == "menu":
                answer = menu(asking)
            elif command["do"] == "click":
                answer = click(asking, command["id"])
            else:
                answer = close(command["title"])
            print(json.dumps({"answer": answer}), flush=True)
        except Exception as error:  # noqa: BLE001: the test shows whatever went wrong
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)


main()
