/*
 * Archives and directories of images: every kind there is, which image is meant, and everything
 * that can be wrong with them. Needs root (a tmpfs).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "archive_make.h"
#include "base/path.h"
#include "store/below.h"
#include "store/refs.h"
#include "store/store.h"

#define LIMIT ((uint64_t)16 << 20)
#define CNAME "io.containerd.image.name"
#define ONAME "org.opencontainers.image.ref.name"

static char dir[] = "/tmp/pt-archive-XXXXXX";
static char file[64];
static struct store store;
static struct err err;
static struct buf layers[3]; /* lowest first: the third hides, adds and replaces */

static int group_setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/a.tar", dir);
	tar_file(&layers[0], "base", "0"), tar_file(&layers[0], "gone", "0");
	tar_file(&layers[1], "base", "1"), tar_file(&layers[1], "etc/x", "1");
	tar_file(&layers[2], ".wh.gone", ""), tar_file(&layers[2], "top", "2");
	for (size_t i = 0; i < ARRAY_LEN(layers); i++)
		tar_end(&layers[i]);
	return 0;
}

static int group_teardown(void **state)
{
	char cmd[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(layers); i++)
		buf_done(&layers[i]);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static int teardown(void **state)
{
	store_done(&store);
	return 0;
}

static int look(const char *path, const char *name)
{
	int r;

	store_done(&store);
	err = (struct err){};
	r = store_of_path(path, name, LIMIT, NULL, NULL, &store, &err);
	assert_int_equal(r < 0, err.num != 0);
	if (r == 0)
		assert_true(store.n_layers > 0 && store.kind && store.label);
	return r;
}

/* Write an archive (emptied), and look. */
static int look_at(struct buf *archive, const char *name)
{
	tar_write(file, archive);
	buf_done(archive);
	return look(file, name);
}

/* Compressed, too. */
static int look_at_packed(struct buf *archive, const char *how, const char *name)
{
	struct buf packed = {};

	compress_with(how, archive, &packed);
	buf_done(archive);
	return look_at(&packed, name);
}

/* What layer `i`, from the top, has by that name. */
static const char *text(size_t i, const char *path)
{
	static char out[64];
	_cleanup_free_ char *data = NULL;

	assert_true(i < store.n_layers);
	if (path_read_in_root(store.layers[i].fd, path, 50, &data, NULL) < 0)
		return "";
	snprintf(out, sizeof(out), "%s", data);
	return out;
}

static void assert_three_layers(void)
{
	struct stat st;

	assert_int_equal(store.n_layers, 3);
	assert_string_equal(text(2, "base"), "0");
	assert_string_equal(text(1, "base"), "1");
	assert_string_equal(text(1, "etc/x"), "1");
	assert_string_equal(text(0, "top"), "2");
	assert_int_equal(fstatat(store.layers[0].fd, "gone", &st, 0), 0);
	assert_true(below_is_whiteout(&st));
	assert_string_equal(store.config.env.v[0], "FROM=amd64");
	assert_string_equal(store.config.user, "app:7");
	assert_string_equal(store.config.cwd, "/srv");
	assert_string_equal(store.config.entrypoint.v[0], "/entry");
	assert_int_equal(store.config.cmd.n, 2);
	assert_string_equal(store.config.cmd.v[1], "b c");
	assert_string_equal(store.config.arch, "amd64");
	assert_string_equal(store.config.os, "linux");
}

static json_t *one(json_t *j)
{
	return json_pack("[o]", j);
}

static const char *const packers[] = {"", "gzip", "xz", "zstd", "bzip2"};

/* Each compression, of the whole and of each layer. */
static void test_oci(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(packers); i++) {
		for (size_t k = 0; k < ARRAY_LEN(packers); k++) {
			struct buf a = {};

			oci_end(&a, one(oci_image(&a, "amd64", layers, 3, packers[k])));
			assert_int_equal(look_at_packed(&a, packers[i], NULL), 0);
			assert_three_layers();
			assert_string_equal(store.kind, "OCI archive");
		}
	}
}

static void test_docker(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(packers); i++) {
		struct buf a = {};

		docker_end(&a, one(docker_image(&a, "pt/web:1", layers, 3)));
		assert_int_equal(look_at_packed(&a, packers[i], NULL), 0);
		assert_three_layers();
		assert_string_equal(store.kind, "docker archive");
		assert_string_equal(store.label, "pt/web:1");
	}
}

/* Layers that are there already are links in the archives of docker and podman. */
static void test_docker_links(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		char type = i ? '1' : '2';
		struct buf a = {};
		json_t *entry = docker_image(&a, "x:1", layers, 3);
		const char *was =
			json_string_value(json_array_get(json_object_get(entry, "Layers"), 2));
		_cleanup_free_ char *to = i ? strdup(was) : str_fmt("../%s", was);

		tar_link(&a, "linked/layer.tar", type, to);
		json_array_set_new(json_object_get(entry, "Layers"), 2,
				   json_string("linked/layer.tar"));
		docker_end(&a, one(entry));
		assert_int_equal(look_at_packed(&a, i ? "gzip" : "", NULL), 0);
		assert_three_layers();
	}
}

static void test_root_filesystem(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(packers); i++) {
		struct buf a = {};

		buf_add(&a, layers[1].data, layers[1].len);
		assert_int_equal(look_at_packed(&a, packers[i], NULL), 0);
		assert_int_equal(store.n_layers, 1);
		assert_string_equal(text(0, "etc/x"), "1");
		assert_string_equal(store.kind, "archive of a root filesystem");
	}
	assert_int_equal(look(file, "web"), -EINVAL);
}

static void test_directories(void **state)
{
	_cleanup_free_ char *cmd = NULL, *path = str_fmt("%s/d", dir);
	struct buf a = {};

	docker_end(&a, one(docker_image(&a, "pt/web:1", layers, 3)));
	oci_end(&a, one(oci_image(&a, "amd64", layers, 3, "gzip")));
	/* the end of the first is in the way of the second, for all but this program */
	tar_write(file, &a);
	buf_done(&a);
	cmd = str_fmt("mkdir %s && tar -C %s -ixf %s", path, path, file);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(look(path, NULL), 0);
	assert_string_equal(store.kind, "OCI layout");
	assert_three_layers();
	free(cmd);
	cmd = str_fmt("rm %s/oci-layout", path);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(look(path, "web:1"), 0);
	assert_string_equal(store.kind, "unpacked docker archive");
	assert_three_layers();
	free(cmd);
	cmd = str_fmt("rm %s/manifest.json", path);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(look(path, NULL), 0);
	assert_string_equal(store.kind, "directory");
	assert_int_equal(store.n_layers, 1);
	assert_true(store.temp < 0);
	assert_int_equal(faccessat(store.layers[0].fd, "index.json", F_OK, 0), 0);
	assert_int_equal(look("/dev/null", NULL), -ENOTSUP);
	assert_int_equal(look("/nonexistent/x", NULL), -ENOENT);
}

/* What the host can run, when there is a choice; else what there is, and which is told. */
static void test_platforms(void **state)
{
	const char *host = ref_host_arch();
	const char *other = str_eq(host, "amd64") ? "arm64" : "amd64";
	struct buf a = {};
	json_t *list = json_array(), *nested, *d;

	json_array_append_new(list, oci_image(&a, other, layers, 2, "gzip"));
	json_array_append_new(list, oci_image(&a, host, layers, 1, "gzip"));
	json_array_append_new(list, oci_image(&a, "unknown", layers, 3, "gzip"));
	nested = json_pack("{s:i, s:O}", "schemaVersion", 2, "manifests", list);
	d = oci_json(&a, "application/vnd.oci.image.index.v1+json", nested);
	oci_name(d, CNAME, "docker.io/pt/multi:1");
	oci_end(&a, one(d));
	assert_int_equal(look_at(&a, "pt/multi:1"), 0);
	assert_string_equal(store.config.arch, host);
	assert_int_equal(store.n_layers, 1);

	/* the blobs of the index alone: those that are there are taken */
	for (size_t i = 0; i < 2; i++) {
		json_decref(oci_image(&a, i ? host : other, layers, 2 - i, "gzip"));
		d = oci_json(&a, "application/vnd.oci.image.index.v1+json",
			     json_pack("{s:O}", "manifests", list));
		oci_end(&a, one(d));
		assert_int_equal(look_at(&a, NULL), 0);
		assert_string_equal(store.config.arch, i ? host : other);
	}
	/* on the first level, too */
	for (size_t i = 0; i < json_array_size(list); i++)
		json_decref(oci_image(&a, i ? i == 1 ? host : "unknown" : other, layers,
				      i ? i == 1 ? 1 : 3 : 2, "gzip"));
	oci_end(&a, list);
	assert_int_equal(look_at(&a, NULL), 0);
	assert_string_equal(store.config.arch, host);
}

static void test_names(void **state)
{
	struct buf a = {};
	json_t *list = json_array(), *d;
	_cleanup_free_ char *digest = NULL;

	d = oci_image(&a, "amd64", layers, 1, "");
	digest = strdup(json_string_value(json_object_get(d, "digest")));
	oci_name(d, CNAME, "docker.io/library/web:latest"), oci_name(d, ONAME, "latest");
	json_array_append_new(list, d);
	d = oci_image(&a, "amd64", layers, 2, "");
	oci_name(d, ONAME, "quay.io/pt/api:2");
	json_array_append_new(list, d);
	oci_end(&a, list);
	assert_int_equal(look_at(&a, NULL), -ENOTUNIQ);
	assert_non_null(strstr(err.msg, "name one of web:latest, quay.io/pt/api:2"));
	assert_int_equal(look(file, "wbe"), -ENOENT);
	assert_non_null(strstr(err.msg, "but web:latest, quay.io/pt/api:2"));
	assert_int_equal(look(file, "web"), 0);
	assert_int_equal(store.n_layers, 1);
	assert_string_equal(store.label, "web:latest");
	assert_int_equal(look(file, "docker.io/library/web:latest"), 0);
	assert_int_equal(look(file, digest), 0);
	digest[20] = '\0';
	assert_int_equal(look(file, digest + 7), 0);
	assert_int_equal(look(file, "api:2"), 0);
	assert_int_equal(store.n_layers, 2);
	assert_int_equal(look(file, "api"), -ENOENT);

	list = json_array();
	json_array_append_new(list, docker_image(&a, "pt/one:1", layers, 1));
	json_array_append_new(list, docker_image(&a, "pt/two:1", layers, 2));
	docker_end(&a, list);
	assert_int_equal(look_at(&a, NULL), -ENOTUNIQ);
	assert_non_null(strstr(err.msg, "pt/one:1, pt/two:1"));
	assert_int_equal(look(file, "pt/two:1"), 0);
	assert_int_equal(store.n_layers, 2);
	assert_int_equal(look(file, "three"), -ENOENT);
}

/* An OCI image with one byte changed in what `find` is part of. */
static int look_damaged(const char *find, const char *how)
{
	struct buf a = {};
	char *p;

	oci_end(&a, one(oci_image(&a, "amd64", layers, 3, how)));
	p = memmem(a.data, a.len, find, strlen(find));
	assert_non_null(p);
	*p ^= 1;
	return look_at(&a, NULL);
}

static void test_wrong_digests(void **state)
{
	struct buf a = {}, other = {};
	json_t *entry;

	assert_int_equal(look_damaged("diff_ids", ""), -EBADMSG); /* the configuration */
	assert_non_null(strstr(err.msg, "not what it should be"));
	assert_int_equal(look_damaged("schemaVersion", ""), -EBADMSG); /* the manifest */
	assert_non_null(strstr(err.msg, "not what it should be"));
	assert_int_equal(look_damaged("etc/x", ""), -EBADMSG); /* a layer's header */
	tar_file(&other, "other", "1");
	tar_end(&other);
	/* a whole layer instead of another, right in itself: only its diff id tells */
	entry = docker_image(&a, "x:1", layers, 2);
	tar_data(&a, "other.tar", other.data, other.len);
	json_array_set_new(json_object_get(entry, "Layers"), 1, json_string("other.tar"));
	docker_end(&a, one(entry));
	assert_int_equal(look_at(&a, NULL), -EBADMSG);
	assert_non_null(strstr(err.msg, "layer 2 of 2"));
	assert_non_null(strstr(err.msg, "not what it should be"));
	buf_done(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_oci, teardown),
		cmocka_unit_test_teardown(test_docker, teardown),
		cmocka_unit_test_teardown(test_docker_links, teardown),
		cmocka_unit_test_teardown(test_root_filesystem, teardown),
		cmocka_unit_test_teardown(test_directories, teardown),
		cmocka_unit_test_teardown(test_platforms, teardown),
		cmocka_unit_test_teardown(test_names, teardown),
		cmocka_unit_test_teardown(test_wrong_digests, teardown),
	};

	store = STORE_INIT;
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
