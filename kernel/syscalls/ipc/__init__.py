"""System calls for waiting and for communication: poll, epoll, sockets."""
