#ifndef PODCAP_DROP_PRIVILEGES_H
#define PODCAP_DROP_PRIVILEGES_H

/*
 * Gives the process this user, the group of the same number and no other group, NET_RAW and no other capability, and no
 * way to gain more, also after it executes another program. Any failure ends the process (fail.h).
 */
void drop_privileges(int user);

#endif
