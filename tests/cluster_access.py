# SPDX-License-Identifier: MIT
"""How suites with machines get into them and ask them."""
import os
import socket
import subprocess


def make_key(folder, comment):
    """The path of an SSH key of the tests; its public half has `.pub` behind."""
    path = os.path.join(folder, "key")
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(path):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path], check=True)
    return path


def four_letters(ip, word):
    """ZooKeeper's answer to a four-letter word, or why there is none."""
    try:
        with socket.create_connection((ip, 2181), 5) as connection:
            connection.sendall(word.encode())
            answer = b""
            while data := connection.recv(4096):
                answer += data
            return answer.decode(errors="replace")
    except OSError as error:
        return str(error)
