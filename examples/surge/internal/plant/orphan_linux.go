package plant

import "syscall"

// dieWithUs has a process end when this one is killed without being able to end it.
func dieWithUs(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
