# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that are slow, many, rude or in a flood, and one that measures what the others notice of them."""
import selectors
import socket
import threading
import time

import ask
import told
from harness import Failed, expect
from talk import Closed, Talk, get, message, post


class Abuse(threading.Thread):
    """run() is until .over; what went wrong is in .wrong."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.over, self.wrong, self.count = address, threading.Event(), [], 0

    def run(self):
        try:
            self.abuse()
        except (OSError, Failed, Closed, told.Wrong) as error:
            if not self.over.is_set():
                self.wrong.append(f"{type(self).__name__}: {error!r}")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(60)


class Held(Abuse):
    """Connections that are kept, and how long each of them was. say(n-th second) are the bytes that each sends then."""

    def __init__(self, address, number, say):
        super().__init__(address)
        self.number, self.say, self.ages, self.open = number, say, [], 0

    def abuse(self):
        selector, begun = selectors.DefaultSelector(), {}
        for _ in range(self.number):
            at = time.monotonic()
            sock = socket.create_connection(self.address, timeout=40)
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ)
            begun[sock] = at
        self.open, tick, beats = len(begun), time.monotonic(), 0
        while not self.over.is_set() and begun:
            for key, _ in selector.select(0.1):
                self._hear(selector, begun, key.fileobj)
            if time.monotonic() >= tick:
                tick, beats = tick + 1, beats + 1
                for sock in list(begun):
                    self._speak(selector, begun, sock, self.say(beats))
        for sock in begun:
            sock.close()

    def _speak(self, selector, begun, sock, data):
        try:
            if data:
                sock.send(data)
        except OSError:
            self._gone(selector, begun, sock)

    def _hear(self, selector, begun, sock):
        try:
            if sock.recv(4096):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._gone(selector, begun, sock)

    def _gone(self, selector, begun, sock):
        if sock in begun:
            selector.unregister(sock)
            self.ages.append(time.monotonic() - begun.pop(sock))
            sock.close()
            self.open -= 1


def idle(address, number):
    return Held(address, number, lambda beat: b"")


def drip(address, number, first, rest):
    """`first` at once, then one byte a second of a request that is never whole."""
    return Held(address, number, lambda beat: first if beat == 1 else rest[beat - 2:beat - 1])


class Flood(Abuse):
    """Pipelined nonces without end. Each is answered: signed, or tryLater."""

    def __init__(self, address, requests, at_once=20):
        super().__init__(address)
        self.requests, self.at_once, self.outcomes = requests, at_once, {}

    def abuse(self):
        with Talk(self.address, seconds=20) as talk:
            data = b"".join(post(self.requests[i % len(self.requests)]) for i in range(self.at_once))
            while not self.over.is_set():
                talk.send(data)
                for _ in range(self.at_once):
                    outcome = told.Told(talk.read().body).outcome
                    self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


class Rude(Abuse):
    """Connects and closes, resets before and amid answers, leaves in the middle of requests."""

    def __init__(self, address, data):
        super().__init__(address)
        self.data = data

    def abuse(self):
        while not self.over.is_set():
            for how in range(6):
                talk = Talk(self.address)
                self.count += 1
                try:
                    if how == 1:
                        talk.send(self.data)
                    elif how == 2:
                        talk.send(self.data[:len(self.data) // 2])
                    elif how == 3:
                        talk.send(self.data * 40).socket.recv(100)
                    elif how == 4:
                        talk.send(self.data * 40)
                    elif how == 5:
                        talk.send(message("POST", "/", "Content-Length: 100") + b"0" * 50)
                except ConnectionError:
                    pass
                talk.close() if how in (0, 2, 4) else talk.reset()


class Pipeline(Abuse):
    """Thousands of requests on one connection, sent before the first answer is read."""

    def __init__(self, address, data, number):
        super().__init__(address)
        self.data, self.number = data, number

    def abuse(self):
        with Talk(self.address, seconds=60) as talk:
            writer = threading.Thread(target=talk.send_what_fits, args=(self.data * self.number,), daemon=True)
            writer.start()
            for _ in range(self.number):
                if talk.read().status != 200:
                    raise Failed("not answered")
                self.count += 1
            writer.join(10)


class Other(Abuse):
    """Who has nothing to do with it: asks on a kept connection and on new ones, and has the right answer each time."""

    def __init__(self, address, request, status, pause_s=0.01):
        super().__init__(address)
        self.forms = [post(request), get(ask.path_escaped(request))]
        self.status, self.pause_s, self.times_s = status, pause_s, []
        self.kept, self.used = None, 0

    def abuse(self):
        while not self.over.is_set():
            for data in self.forms:
                self._once(self._kept(), data)
                self.used = time.monotonic()
                with Talk(self.address) as fresh:
                    self._once(fresh, data)
            time.sleep(self.pause_s)
        self.kept.close()

    def _kept(self):
        """A connection that this thread has not left idle for so long that it may be sent away."""
        if not self.kept or time.monotonic() - self.used > 1:
            if self.kept:
                self.kept.close()
            self.kept = Talk(self.address)
        return self.kept

    def _once(self, talk, data):
        begun = time.monotonic()
        answer = told.Told(talk.send(data).read().body)
        self.times_s.append(time.monotonic() - begun)
        if answer.outcome != "successful" or answer.single.status != self.status:
            self.wrong.append(f"{answer.outcome} {[s.status for s in answer.singles]}")

    def percentile(self, part):
        return sorted(self.times_s)[int(len(self.times_s) * part)]


def expect_well(*abuses):
    for each in abuses:
        expect(not each.wrong, f"{type(each).__name__}: {each.wrong[:5]} ({len(each.wrong)})")
