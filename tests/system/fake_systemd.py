#!/usr/bin/python3
"""A message bus's org.freedesktop.systemd1 that keeps a list of units and writes down what it is asked.

fake_systemd.py LOG: on the bus of DBUS_SYSTEM_BUS_ADDRESS; every call becomes a line of JSON in LOG. A unit whose name holds
"refused" isn't started, one with "failing" ends its job as failed.
"""
import json
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

MANAGER = "org.freedesktop.systemd1.Manager"


def plain(value):
    """D-Bus types as JSON has them."""
    if isinstance(value, dbus.Boolean):
        return bool(value)
    if isinstance(value, (dbus.Array, dbus.Struct, list, tuple)):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, int) else str(value)


class Error(dbus.DBusException):
    def __init__(self, name, text):
        super().__init__(text, name="org.freedesktop.systemd1." + name)


class Manager(dbus.service.Object):
    def __init__(self, bus, log):
        super().__init__(bus, "/org/freedesktop/systemd1")
        self.log, self.units, self.jobs = log, set(), 0

    def note(self, member, **what):
        self.log.write(json.dumps({"call": member, **{k: plain(v) for k, v in what.items()}}) + "\n")
        self.log.flush()

    def job(self, unit, result="done"):
        self.jobs += 1
        path = dbus.ObjectPath("/org/freedesktop/systemd1/job/%d" % self.jobs)
        other = dbus.ObjectPath("/org/freedesktop/systemd1/job/9999")
        self.JobRemoved(9999, other, "somebody-else.service", "failed")
        GLib.timeout_add(20, lambda number=self.jobs: self.JobRemoved(number, path, unit, result))
        return path

    @dbus.service.method(MANAGER, in_signature="ssa(sv)a(sa(sv))", out_signature="o")
    def StartTransientUnit(self, name, mode, properties, aux):
        self.note("StartTransientUnit", name=name, mode=mode, aux=aux,
                  properties=[[n, v] for n, v in properties])
        if name in self.units:
            raise Error("UnitExists", "Unit %s was already loaded" % name)
        if "refused" in name:
            raise dbus.DBusException("no", name="org.freedesktop.DBus.Error.AccessDenied")
        self.units.add(name)
        return self.job(name, "failed" if "failing" in name else "done")

    @dbus.service.method(MANAGER, in_signature="ss", out_signature="o")
    def StopUnit(self, name, mode):
        self.note("StopUnit", name=name, mode=mode)
        if name not in self.units:
            raise Error("NoSuchUnit", "Unit %s not loaded." % name)
        self.units.discard(name)
        return self.job(name)

    @dbus.service.method(MANAGER, in_signature="sba(sv)", out_signature="")
    def SetUnitProperties(self, name, runtime, properties):
        self.note("SetUnitProperties", name=name, runtime=runtime, properties=[[n, v] for n, v in properties])

    @dbus.service.method(MANAGER, in_signature="s", out_signature="")
    def ResetFailedUnit(self, name):
        self.note("ResetFailedUnit", name=name)

    @dbus.service.method(MANAGER, in_signature="", out_signature="")
    def Subscribe(self):
        pass

    @dbus.service.method("org.freedesktop.DBus.Properties", in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return dbus.String("") if name == "ControlGroup" else dbus.String("252")

    @dbus.service.signal(MANAGER, signature="uoss")
    def JobRemoved(self, number, job, unit, result):
        pass


def main():
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SystemBus()
    name = dbus.service.BusName("org.freedesktop.systemd1", bus)
    manager = Manager(bus, open(sys.argv[1], "a", encoding="utf-8"))
    manager.note("ready", name=name.get_name())
    GLib.MainLoop().run()


main()
