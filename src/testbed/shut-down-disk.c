/*
 * Shuts an ext4 file system down, as if its disk were pulled out: from then on every access is an I/O error.
 *
 *   shut-down-disk ANY-PATH-ON-IT
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* EXT4_IOC_SHUTDOWN and EXT4_GOING_FLAGS_NOLOGFLUSH of fs/ext4/ext4.h; no header of libc has them. */
#define SHUTDOWN _IOR('X', 125, uint32_t)
enum { NO_LOG_FLUSH = 2 };

int main(int argc, char **argv)
{
	uint32_t flags = NO_LOG_FLUSH;
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0 || ioctl(fd, SHUTDOWN, &flags) < 0)
		err(1, "shutdown");
	return 0;
}
