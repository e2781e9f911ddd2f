#define _GNU_SOURCE
#include "drop-privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fail.h"

/* In the order of capabilities(7): the bounding set needs SETPCAP, the ambient set needs the other sets. */
void drop_privileges(int user)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	/* Two elements of 32 bits; NET_RAW is in the first. */
	struct __user_cap_data_struct only_net_raw[2] = {{
		.effective = 1u << CAP_NET_RAW,
		.permitted = 1u << CAP_NET_RAW,
		.inheritable = 1u << CAP_NET_RAW,
	}};

	/* The kernel's capabilities have no gaps: the first unknown number ends them. */
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability += 1)
		if (capability != CAP_NET_RAW && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
			fail("bounding set");
	if (setgroups(0, NULL) < 0)
		fail("groups");
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresgid(user, user, user) < 0 ||
	    setresuid(user, user, user) < 0)
		fail("user");
	if (syscall(SYS_capset, &header, only_net_raw) < 0)
		fail("capabilities");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) < 0)
		fail("ambient set");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail("no new privileges");
}
