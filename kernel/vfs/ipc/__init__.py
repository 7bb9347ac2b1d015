"""Pipes, sockets, epoll, eventfd and timerfd."""
