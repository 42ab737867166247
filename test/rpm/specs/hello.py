#!/usr/bin/python3
"""Answers each connection with one line, and writes down the last one in its spool directory."""
import os
import pathlib
import socket

settings = dict(line.split('=', 1) for line in pathlib.Path('/etc/hello.conf').read_text().split() if '=' in line)
server = socket.create_server(('0.0.0.0', int(settings['port'])))
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'].replace('@', '\0', 1))
while True:
    connection, address = server.accept()
    with connection:
        word = pathlib.Path('/usr/share/hello/word').read_text().strip()
        greeting = pathlib.Path('/var/lib/hello/greeting').read_text().strip()
        connection.sendall(f'{word}, uid {os.getuid()}, {greeting}\n'.encode())
    pathlib.Path('/var/spool/hello/last').write_text(f'{address[0]}\n')
