/*
 * The app of the scratch container: its only file. A tiny HTTP server on 127.0.0.1, and what the
 * odd containers need of an init: leave at once, leave a zombie, fork helpers, attack whoever
 * enters.
 *
 * Usage: app [--port N] [--exit CODE] [--forks N] [--reap] [--zombie-leader] [--attack FILE] [--eat
 * MEGABYTES] app --get PORT      (one GET of 127.0.0.1:PORT, body to stdout)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "bigenv.h"

struct args {
	int port, exit_code, forks, get;
	size_t eat, env;
	bool zombie_leader, reap;
	const char *attack;
};

static const char hello[] =
	"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 23\r\n\r\n"
	"hello from scratch app\n";

static void on_term(int sig)
{
	_exit(sig == SIGTERM ? 0 : 128 + sig);
}

static int usage(void)
{
	fputs("usage: app [--port N] [--exit CODE] [--forks N] [--zombie-leader] [--attack FILE] "
	      "[--eat MB] [--env BYTES] | --get PORT\n",
	      stderr);
	return 2;
}

static int args_parse(int argc, char **argv, struct args *a)
{
	*a = (struct args){.port = 8080, .exit_code = -1};
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (!strcmp(argv[i], "--zombie-leader"))
			a->zombie_leader = true;
		else if (!strcmp(argv[i], "--reap"))
			a->reap = true;
		else if (!strcmp(argv[i], "--port") && more)
			a->port = atoi(argv[++i]);
		else if (!strcmp(argv[i], "--exit") && more)
			a->exit_code = atoi(argv[++i]);
		else if (!strcmp(argv[i], "--forks") && more)
			a->forks = atoi(argv[++i]);
		else if (!strcmp(argv[i], "--get") && more)
			a->get = atoi(argv[++i]);
		else if (!strcmp(argv[i], "--eat") && more)
			a->eat = (size_t)atoi(argv[++i]) << 20;
		else if (!strcmp(argv[i], "--env") && more)
			a->env = (size_t)atoi(argv[++i]);
		else if (!strcmp(argv[i], "--attack") && more)
			a->attack = argv[++i];
		else
			return -EINVAL;
	}
	return 0;
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int http_get(int port)
{
	struct sockaddr_in sa = loopback(port);
	char buf[4096], *body;
	size_t have = 0;
	ssize_t n;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (void *)&sa, sizeof(sa)) < 0 ||
	    send(fd, "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL) != 18) {
		perror("app: get");
		return 1;
	}
	while ((n = read(fd, buf + have, sizeof(buf) - 1 - have)) > 0)
		have += (size_t)n;
	buf[have] = '\0';
	body = strstr(buf, "\r\n\r\n");
	if (!body)
		return 1;
	fputs(body + 4, stdout);
	return 0;
}

/* A listening socket, or -1: an app whose port is taken (or whose lo is down) still runs. */
static int listen_on(int port)
{
	struct sockaddr_in sa = loopback(port);
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&sa, sizeof(sa)) < 0 || listen(fd, 16) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void answer(int lfd)
{
	char req[2048];
	int fd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (read(fd, req, sizeof(req)) > 0)
		send(fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL);
	close(fd);
}

static void *serve(void *arg)
{
	const struct args *a = arg;
	int lfd = listen_on(a->port);

	for (;;) {
		struct pollfd p = {.fd = lfd, .events = POLLIN};

		if (poll(&p, 1, 1000) > 0)
			answer(lfd);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	return NULL;
}

/* Touch memory so that it counts, and keep it. */
static void eat(size_t bytes)
{
	char *p = bytes ? malloc(bytes) : NULL;

	for (size_t i = 0; p && i < bytes; i += 4096)
		((volatile char *)p)[i] = 1;
}

int main(int argc, char **argv)
{
	struct args a;
	pthread_t t;

	if (args_parse(argc, argv, &a) < 0)
		return usage();
	if (a.get)
		return http_get(a.get);
	if (a.exit_code >= 0)
		return a.exit_code;
	signal(SIGTERM, on_term);
	signal(SIGINT, on_term);
	if (a.reap)
		signal(SIGCHLD, SIG_IGN);
	eat(a.eat);
	if (a.env && bigenv(a.env) < 0) {
		perror("app: environment");
		return 1;
	}
	for (int i = 0; i < a.forks; i++) {
		if (fork() == 0) {
			for (;;)
				pause();
		}
	}
	if (a.attack)
		return attack(a.attack);
	if (a.zombie_leader) {
		if (pthread_create(&t, NULL, serve, &a) != 0)
			return 1;
		pthread_exit(NULL);
	}
	serve(&a);
	return 0;
}
