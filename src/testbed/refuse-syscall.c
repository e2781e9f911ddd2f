/*
 * Runs a program for which the kernel refuses a system call:
 *
 *   membarrier  membarrier(2), as where it is compiled out or a container's seccomp profile does not allow it
 *   ethtool     every ioctl(2) of SIOCETHTOOL
 *
 *   refuse-syscall membarrier|ethtool PROGRAM [ARGUMENT...]
 */
#include <err.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF(value, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, otherwise)

static struct sock_filter without_membarrier[] = {
	LOAD(nr),
	IF(SYS_membarrier, 1),
	REFUSE(ENOSYS),
	ALLOW,
};

/* args[1] is the request: LOAD reads its lower half on a little-endian machine. */
static struct sock_filter without_ethtool[] = {
	LOAD(nr), IF(SYS_ioctl, 3), LOAD(args[1]), IF(SIOCETHTOOL, 1), REFUSE(EPERM), ALLOW,
};

static const struct {
	const char *name;
	struct sock_fprog program;
} refusals[] = {
	{"membarrier", {sizeof(without_membarrier) / sizeof(*without_membarrier), without_membarrier}},
	{"ethtool", {sizeof(without_ethtool) / sizeof(*without_ethtool), without_ethtool}},
};

static const struct sock_fprog *refusal_of(const char *name)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (strcmp(refusals[i].name, name) == 0)
			return &refusals[i].program;
	return NULL;
}

int main(int argc, char **argv)
{
	const struct sock_fprog *program = argc > 2 ? refusal_of(argv[1]) : NULL;

	if (program == NULL)
		errx(1, "usage: refuse-syscall membarrier|ethtool PROGRAM [ARGUMENT...]");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program) < 0)
		err(1, "seccomp");
	execvp(argv[2], argv + 2);
	err(1, "%s", argv[2]);
}
