# Archives, directories and engines' images: what is in them is what the image was made of.
load ../lib/porthole

setup() {
	mkdir "$BATS_TEST_TMPDIR/v"
	cd "$BATS_TEST_TMPDIR"
}

# tree DIR: everything below it, with owners, modes, times and links.
tree() {
	(cd "$1" && find . -mindepth 1 \( -type d -printf '%P/ %m %U %G\n' \) -o \
		-printf '%P %y %m %U %G %s %Ts %l\n') | sort
}

# tell [OPTION...] REF: kind, label, configuration and layers.
tell() {
	timeout 60 "$PT_TOOLS/storeview" "$@" v
}

# shows WANT [OPTION...] REF: what is in it is WANT, as tree() says it.
shows() {
	local want=$1
	shift
	timeout 60 "$PT_TOOLS/storeview" "$@" v bash -c "$(declare -f tree); tree v" >got || return 1
	diff <(echo "$want") got | head -n 10 | { ! grep .; }
}

# shows_all_ways WANT FILE: plain, and compressed each way.
shows_all_ways() {
	local how
	shows "$1" "$2"
	for how in gzip xz zstd bzip2; do
		"$how" -1 -c "$2" >packed
		refute cmp -s "$2" packed
		shows "$1" packed
	done
	rm packed
}

# busybox_in ENGINE: that engine has the image, and a container of it; WANT is what is in it.
busybox_in() {
	local name
	name=$(uniq_name img)
	target_start "$1" "$name" busybox >/dev/null
	WANT=$(tree "$(image_root busybox)")
	[[ $(wc -l <<<"$WANT") -gt 100 ]]
	NAME=$name
}

@test "image: docker save and docker export" {
	require docker
	busybox_in docker
	engine_cli docker save pt/busybox:1 -o s.tar
	shows_all_ways "$WANT" s.tar
	run -0 tell s.tar
	[[ $output == *"kind: docker archive"*"label: pt/busybox:1"*"cmd: /app"* ]]
	run -125 tell -n web s.tar
	[[ $output == *"there is no image 'web' in it, but pt/busybox:1"* ]]
	# a container has three files more than its image, and /dev
	engine_cli docker export "$NAME" -o e.tar
	run -0 tell e.tar
	[[ $output == *"kind: archive of a root filesystem"* ]]
	"$PT_TOOLS/storeview" e.tar v bash -c "$(declare -f tree); tree v" |
		grep -vE '^(dev/|etc/(hosts|hostname|resolv.conf|mtab)|\.dockerenv)' >got
	diff <(grep -vE '^(dev/|etc/(hosts|hostname|resolv.conf|mtab) )' <<<"$WANT") got
}

@test "image: podman save in each format" {
	require podman
	local format
	busybox_in podman
	for format in docker-archive oci-archive; do
		engine_cli podman save -q --format "$format" -o "$format" docker.io/pt/busybox:1
		shows_all_ways "$WANT" "$format"
	done
	for format in docker-dir oci-dir; do
		engine_cli podman save -q --format "$format" -o "$format" docker.io/pt/busybox:1
		shows "$WANT" "$format"
	done
}

# unchanged DIR: a text that is another one when anything in DIR changed.
unchanged() {
	(cd "$1" && find . -printf '%p %y %m %U %G %s %T@ %C@ %l\n' && find . -type f -exec sha256sum {} +) | sort
}

@test "image: out of the storage of docker" {
	require docker
	local tag id lib
	busybox_in docker
	tag=pt/$NAME
	lib=$(_engine_dir docker)/lib/docker
	engine_cli docker tag pt/busybox:1 "$tag:latest"
	id=$(engine_cli docker images -q --no-trunc "$tag")
	unchanged "$lib/image" >before
	unchanged "$lib/overlay2" >>before
	for ref in "$tag" "$tag:latest" "docker.io/$tag" "docker/$tag" "$NAME" "$id" "${id#sha256:}" "${id:7:12}"; do
		run -0 tell -i "$ref"
		[[ $output == *"kind: docker overlay2 image"*"platform: linux/amd64"*"cmd: /app"* ]]
	done
	shows "$WANT" -i "$tag"
	unchanged "$lib/image" >after
	unchanged "$lib/overlay2" >>after
	diff before after | head -n 10
	cmp before after
	# control: the checksum sees a change
	engine_cli docker tag pt/busybox:1 "$tag:two"
	refute cmp <(unchanged "$lib/image") <(head -n "$(wc -l < <(unchanged "$lib/image"))" before)
	run -125 tell -i "${tag}x"
	[[ $output == *"no engine on this host has an image '${tag}x'"*"did you mean "*"$tag:"* ]]
	engine_cli docker rmi "$tag:latest" "$tag:two"
	run -125 tell -i "$tag"
}

@test "image: out of the storage of podman, with root and without" {
	require podman podman-rootless
	local e tag id
	for e in podman podman-rootless; do
		busybox_in "$e"
		tag=localhost/pt/$NAME
		engine_cli "$e" tag docker.io/pt/busybox:1 "$tag:latest"
		id=$(engine_cli "$e" images -q --no-trunc "$tag")
		for ref in "$tag" "pt/$NAME" "$NAME:latest" "podman/$tag"; do
			run -0 tell -i "$ref"
			[[ $output == *"kind: podman overlay image"*"label: $tag:latest"*"cmd: /app"* ]]
		done
		run -125 tell -i "docker/$tag"
		shows "$WANT" -i "$tag"
	done
}

@test "image: out of the storage of containerd, unpacked and not" {
	require containerd docker
	local tag digest
	busybox_in containerd
	tag=docker.io/pt/$NAME:1
	engine_cli containerd image tag docker.io/pt/busybox:1 "$tag"
	digest=$(engine_cli containerd image ls "name==$tag" | awk 'NR == 2 { print $3 }')
	[[ $digest == sha256:* ]]
	for ref in "pt/$NAME:1" "$NAME:1" "$tag@$digest" "containerd/$tag"; do
		run -0 tell -i "$ref"
		[[ $output == *"kind: containerd overlayfs image"*"label: pt/$NAME:1"*"cmd: /app"* ]]
	done
	shows "$WANT" -i "$tag"
	run -125 tell -i "$tag@sha256:${digest:8}0"
	# what is not unpacked there
	target_start docker "$NAME" busybox >/dev/null
	engine_cli docker tag pt/busybox:1 "pt/$NAME:packed"
	engine_cli docker save "pt/$NAME:packed" -o s.tar
	engine_cli containerd -n "$NAME" image import --no-unpack s.tar
	run -0 tell -i "containerd/pt/$NAME:packed"
	[[ $output == *"kind: containerd image, packed"*"cmd: /app"* ]]
	shows "$WANT" -i "containerd/pt/$NAME:packed"
}

@test "image: one name in two stores of one engine: each as it can be typed" {
	require docker docker-userns
	local ref tag
	busybox_in docker
	tag=pt/$NAME
	engine_cli docker tag pt/busybox:1 "$tag:1"
	target_start docker-userns "$NAME" scratch >/dev/null
	engine_cli docker-userns tag pt/scratch:1 "$tag:1"
	run -125 tell -i "$tag:1"
	[[ $output =~ several\ images\ \'$tag:1\':\ (image://[0-9a-f]{12})\ \(docker\ in\ .*,\ (image://[0-9a-f]{12})\ \(docker\ in ]] || die "$output"
	for ref in "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"; do
		run -0 tell -i "${ref#image://}"
		[[ $output == *"kind: docker overlay2 image"* ]] || die "$ref: $output"
	done
	target_stop docker-userns "$NAME"
}

@test "image: one name, several images" {
	require docker podman
	local tag
	busybox_in docker
	tag=pt/$NAME
	engine_cli docker tag pt/busybox:1 "$tag:1"
	target_start podman "$NAME" scratch >/dev/null
	engine_cli podman tag docker.io/pt/scratch:1 "docker.io/$tag:1"
	run -125 tell -i "$tag:1"
	[[ $output == *"several images '$tag:1'"*"image://docker/$tag:1, image://podman/$tag:1"* ]]
	shows "$WANT" -i "docker/$tag:1"
	run -0 tell -i "podman/$tag:1"
	[[ $output == *"kind: podman overlay image"* ]]
	# the same image at two engines is one
	engine_cli docker save "$tag:1" | engine_cli podman load -q
	engine_cli podman tag "localhost/$tag:1" "docker.io/$tag:1"
	run -0 tell -i "$tag:1"
	[[ $output == *"kind: docker overlay2 image"* ]]
}

@test "image: exec on archives, layouts, directories and images" {
	require docker podman kit
	local x
	busybox_in docker
	engine_cli docker tag pt/busybox:1 "pt/$NAME:1"
	engine_cli docker save "pt/$NAME:1" | gzip -1 >s.tar.gz
	target_start podman "$NAME" busybox >/dev/null
	engine_cli podman save -q --format oci-dir -o layout docker.io/pt/busybox:1
	cp -a "$(image_root busybox)" root
	for x in s.tar.gz ./s.tar.gz "s.tar.gz:pt/$NAME:1" layout/ root/ "image://docker/pt/$NAME:1"; do
		run -0 timeout 30 "$PORTHOLE" exec "$x" sh -c 'cat /etc/passwd && echo mine >/etc/passwd'
		[[ $output == *app:x:1000:1000* ]]
	done
	grep -q app:x:1000:1000 root/etc/passwd
	run -125 timeout 30 "$PORTHOLE" exec s.tar.gz:other true
	[[ $output == *"there is no image 'other' in it, but pt/$NAME:1"* ]]
}

@test "image: hostile archives are refused with a sentence, and nothing outside is touched" {
	mkdir out
	echo secret >out/secret
	/usr/bin/python3 - <<-END
		import io, os, tarfile
		def make(name, *entries):
		    with tarfile.open(name, "w") as tar:
		        for path, kind, value in entries:
		            info = tarfile.TarInfo(path)
		            info.type = kind
		            if kind == tarfile.REGTYPE:
		                info.size = len(value)
		                tar.addfile(info, io.BytesIO(value))
		            else:
		                info.linkname = value
		                tar.addfile(info)
		out = os.path.abspath("out")
		make("dots.tar", ("../out/secret", tarfile.REGTYPE, b"bad"))
		make("hard.tar", ("deep/in/h", tarfile.LNKTYPE, out + "/secret"))
		make("link.tar", ("l", tarfile.SYMTYPE, out), ("l/secret", tarfile.REGTYPE, b"bad"),
		     ("l/new", tarfile.REGTYPE, b"bad"))
	END
	run -125 tell dots.tar
	[[ $output == *"cannot read 'dots.tar': its entry '../out/secret' leads outside"* ]]
	run -125 tell hard.tar
	[[ $output == *"'deep/in/h' is a hard link to '$PWD/out/secret', which is not there"* ]]
	run -0 timeout 20 "$PT_TOOLS/storeview" link.tar v cat "v$PWD/out/secret"
	[[ $output == bad ]]
	head -c 700 dots.tar >cut.tar
	run -125 tell cut.tar
	[[ $(<out/secret) == secret && $(ls out) == secret ]]
}

@test "image: a damaged layer is called so" {
	local at layer
	mkdir -p oci/blobs/sha256 root
	head -c 1000000 /dev/urandom >root/f
	cp "$PORTHOLE" root/
	for at in 1 2 3 4 5 6 7 8 9; do echo "$at" >"root/$at"; done
	tar -C root -cf l.tar . && gzip -1 l.tar
	_blob() { # FILE: puts it there, prints its digest
		local d
		d=$(sha256sum <"$1" | cut -d' ' -f1)
		cp "$1" "oci/blobs/sha256/$d"
		echo "$d"
	}
	layer=$(_blob l.tar.gz)
	jq -n --arg d "sha256:$(zcat l.tar.gz | sha256sum | cut -d' ' -f1)" \
		'{architecture: "amd64", os: "linux", config: {}, rootfs: {type: "layers", diff_ids: [$d]}}' >config
	jq -n --arg c "sha256:$(_blob config)" --arg l "sha256:$layer" --argjson n "$(stat -c %s l.tar.gz)" --argjson k "$(stat -c %s config)" \
		'{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
		config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $c, size: $k},
		layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: $l, size: $n}]}' >manifest
	jq -n --arg m "sha256:$(_blob manifest)" --argjson n "$(stat -c %s manifest)" \
		'{schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $m, size: $n}]}' >oci/index.json
	echo '{"imageLayoutVersion":"1.0.0"}' >oci/oci-layout
	run -0 timeout 60 "$PORTHOLE" exec -q oci/ sh -c 'ls /f'
	for at in 100 5000 700000 1100000; do
		cp l.tar.gz "oci/blobs/sha256/$layer"
		printf '\377\001\252' | dd of="oci/blobs/sha256/$layer" bs=1 seek="$at" conv=notrunc status=none
		run -125 timeout 60 "$PORTHOLE" exec -q oci/ sh -c 'ls /f'
		[[ $output == *"cannot unpack layer 1 of 1 of "*"it is damaged, not what it should be: its digest is sha256:"*"not sha256:$layer"* ]] ||
			die "$at: $output"
	done
}

@test "image: a frame that claims to be of zstd before its release, which we do not read, is damage" {
	local version
	head -c 200000 /dev/zero >part
	for version in '\045' '\046' '\047'; do
		{ zstd -q -c part && printf "$version\265\057\375" && head -c 4096 /dev/urandom; } >old.tar.zst
		run -125 "$PORTHOLE" ls "$PWD/old.tar.zst:/"
		[[ $output == *"damaged or cut off: Zstd decompression failed: Allocation error"* ]]
	done
}
