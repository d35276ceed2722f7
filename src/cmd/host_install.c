/* porthole host install: a container of the host's that systemd starts. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "cmd/host_run.h"
#include "launch/state.h"
#include "launch/unit.h"
#include "profile/profile.h"

struct host_install_opts {
	bool print, force;
};

static int full_path(const char *value, const char *what, struct err *e)
{
	if (!value || *value == '/')
		return 0;
	return err_say(e, EINVAL, "systemd starts it in /: name '%s' of %s by its full path", value,
		       what);
}

/* What can only be done where the caller is. */
static int check_here(const struct host_run_opts *o, struct err *e)
{
	const struct {
		bool given;
		const char *name;
	} not_for_units[] = {{o->detach, "-d"},	       {o->interactive, "-i"},
			     {o->tty, "-t"},	       {o->explain, "--explain"},
			     {o->back.ask.n, "--ask"}, {o->json, "--json"},
			     {o->name, "--name"}};

	for (size_t i = 0; i < ARRAY_LEN(not_for_units); i++)
		if (not_for_units[i].given)
			return err_say(
				e, EINVAL,
				"%s is nothing for a unit: it runs without a terminal and is "
				"called as it is installed",
				not_for_units[i].name);
	for (size_t i = 0; i < o->env.n; i++)
		if (!strchr(o->env.v[i], '='))
			return err_say(
				e, EINVAL,
				"systemd does not have our variable '%s': give -e NAME=VALUE",
				o->env.v[i]);
	return 0;
}

static int check_paths(const struct host_run_opts *o, struct err *e)
{
	int r = full_path(o->profile && strchr(o->profile, '/') ? o->profile : NULL, "--profile",
			  e);

	if (r == 0)
		r = full_path(o->kit && !str_eq(o->kit, "none") ? o->kit : NULL, "--kit", e);
	if (r == 0)
		r = full_path(o->back.log, "--log", e);
	if (r == 0 && o->image && !str_starts(o->image, "image://") &&
	    (*o->image == '.' || access(o->image, F_OK) == 0))
		r = full_path(o->image, "--image", e);
	for (size_t i = 0; i < o->env_files.n && r == 0; i++)
		r = full_path(o->env_files.v[i], "--env-file", e);
	return r;
}

/* Would host run take these words? `guests`: what it starts outlives it. The words are moved. */
static int check_words(int argc, char **argv, bool *guests, struct err *e)
{
	_cleanup_profile_ struct profile p = {};
	struct host_run_opts o = {};
	struct ctx ctx = {};
	bool help = false;
	int n = 0, used;
	const struct verb *v = cli_find(2, (char *[]){(char *)"host", (char *)"run"}, &used);
	int r = cli_parse(v, &ctx, &o, argc, argv, &n, &help, e);

	if (r == 0 && help)
		r = err_say(e, EINVAL, "'porthole host run --help' tells its options");
	if (r == 0)
		r = check_here(&o, e);
	if (r == 0)
		r = check_paths(&o, e);
	if (r == 0 && !n && !o.image && !o.entrypoint)
		r = err_say(e, EINVAL,
			    "say which command it is to run: without a terminal a shell ends at "
			    "once");
	if (r == 0)
		r = profile_find(o.profile ? o.profile : HOST_DEFAULT_PROFILE, &p, e);
	*guests = p.outlive;
	cli_free(v, &o);
	return r;
}

static int make_text(int argc, char **argv, char **text, struct err *e)
{
	_cleanup_strv_ struct strv words = {};
	char self[4096];
	ssize_t n = link_read_at(AT_FDCWD, "/proc/self/exe", self, sizeof(self));
	const char *const first[] = {self, "host", "run", "--quiet", "--name", argv[0]};
	bool guests = false;
	int r = 0;

	if (n < 0)
		return err_set(e, (int)-n, "looking for our own file");
	for (size_t i = 0; i < ARRAY_LEN(first) && r == 0; i++)
		r = strv_add(&words, first[i]);
	for (int i = 1; i < argc && r == 0; i++)
		r = strv_add(&words, argv[i]);
	if (r < 0)
		return err_set(e, ENOMEM, "writing the unit");
	r = launch_name_check(argv[0], e);
	if (r == 0)
		r = check_words(argc - 1, argv + 1, &guests, e);
	return r < 0 ? r : unit_text(argv[0], &words, guests, text, e);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct host_install_opts *o = opts;
	_cleanup_free_ char *text = NULL;
	int r = make_text(argc, argv, &text, e);

	(void)ctx;
	if (r < 0)
		return r == -EINVAL ? err_exit(e, EXIT_USAGE) : r;
	if (o->print) {
		fputs(text, stdout);
		return 0;
	}
	r = unit_write(argv[0], text, o->force, e);
	if (r == 0)
		printf("Wrote " UNIT_DIR "/porthole-%s.service. Now: systemctl daemon-reload && "
		       "systemctl enable --now porthole-%s\n",
		       argv[0], argv[0]);
	return r;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct host_install_opts, print), 0, "print", NULL,
	 "print the unit, and do nothing", NULL},
	{OPT_FLAG, offsetof(struct host_install_opts, force), 0, "force", NULL,
	 "replace a unit of ours that was changed since", NULL},
	{},
};

const struct verb verb_host_install = {
	.name = "host install",
	.args = "NAME [OPTION...] [--] [CMD [ARG...]]",
	.summary = "Have systemd start a container of the host's",
	.details = "Writes the unit " UNIT_DIR
		   "/porthole-NAME.service, which runs 'porthole host run --name NAME'\n"
		   "with the options and words that follow NAME, exactly as they are. Nothing is "
		   "asked of systemd: what to\n"
		   "type for it is said. A file that Porthole has not written is never replaced.",
	.examples =
		"  porthole host install agent --profile monitor --image agent:7\n"
		"  porthole host install --print dump --profile net tcpdump -ni any -w /dev/null\n"
		"  porthole host uninstall agent\n",
	.opts = options,
	.opts_size = sizeof(struct host_install_opts),
	.flags = VERB_STOP_AT_ARG,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
