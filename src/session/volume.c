#include "session/volume.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "base/path.h"
#include "base/str.h"

static int bad_spec(const char *spec, struct err *e)
{
	err_say(e, EINVAL, "-v takes HOST:PATH or HOST:PATH:ro, not '%s'", spec);
	err_hint(e, "PATH is absolute, such as -v ./dumps:/dumps");
	return -EINVAL;
}

/* One word of the options. False: there is no such. */
static bool set_option(struct volume *v, const char *word)
{
	static const struct {
		const char *name;
		uint64_t how;
	} ways[] = {{"slave", MS_SLAVE},      {"rslave", MS_SLAVE}, {"private", MS_PRIVATE},
		    {"rprivate", MS_PRIVATE}, {"shared", 0},	    {"rshared", 0},
		    {"follow", MS_SLAVE}};

	if (str_has_word("z Z", word)) /* another label: nothing of ours is confined by one */
		return true;
	if (str_has_word("ro rw", word)) {
		v->ro = str_eq(word, "ro");
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (str_eq(word, ways[i].name)) {
			v->propagation = ways[i].how;
			v->follow = str_eq(word, "follow");
			return true;
		}
	return false;
}

int volume_parse(const char *spec, char **copy, struct volume *out, struct err *e)
{
	_cleanup_strv_ struct strv words = {};
	char *path, *options;

	*copy = strdup(spec);
	*out = (struct volume){.propagation = MS_SLAVE};
	if (!*copy)
		return err_set(e, ENOMEM, "reading -v");
	path = strchr(*copy, ':');
	if (path)
		*path++ = '\0';
	options = path ? strchr(path, ':') : NULL;
	if (options)
		*options++ = '\0';
	out->host = *copy;
	out->inside = path;
	if (!path || *path != '/' || !path[1] || !**copy)
		return bad_spec(spec, e);
	if (options && strv_split(&words, options, ",") < 0)
		return err_set(e, ENOMEM, "reading -v");
	for (size_t i = 0; i < words.n; i++)
		if (!set_option(out, words.v[i])) {
			err_say(e, EINVAL, "-v '%s': there is no option '%s'", spec, words.v[i]);
			err_hint(e, "ro, rw, rslave, follow, rprivate and rshared are known");
			return -EINVAL;
		}
	return 0;
}

uint64_t volume_attrs(const struct volume *v, bool devices)
{
	/* writing to a device is no writing to the file system it lies on; who has all of the
	 * host's files to write to needs no node of his own */
	bool nodes = path_below(v->host, "/dev") || (!v->ro && (devices || str_eq(v->host, "/")));

	return (v->ro ? MOUNT_ATTR_RDONLY : 0) | (nodes ? 0 : MOUNT_ATTR_NODEV);
}

void volume_attr(const struct volume *v, bool devices, struct mount_attr *attr)
{
	*attr = (struct mount_attr){.attr_set = volume_attrs(v, devices),
				    /* what the host mounts later would come to be written to */
				    .propagation = v->ro ? MS_PRIVATE : v->propagation};
}

int volume_open(const struct volume *v, bool devices, struct err *e)
{
	struct mount_attr attr;
	_cleanup_close_ int fd =
		open_tree(AT_FDCWD, v->host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (fd < 0)
		return err_set(e, errno, "opening '%s', which is to be at %s", v->host, v->inside);
	volume_attr(v, devices, &attr);
	if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_set(e, errno, "preparing '%s', which is to be at %s", v->host,
			       v->inside);
	return TAKE_FD(fd);
}
