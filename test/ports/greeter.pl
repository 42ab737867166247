#!/usr/bin/perl
# greeter.pl PORT TEXT: a mail server's first words, and nothing more. It greets each connection, in a process of its own,
# after the seconds in /etc/greeter.delay, and QUIT ends it. WHO tells the address of the client, SLOW answers after two
# seconds.
use strict;
use warnings;
use IO::Socket::INET;
$SIG{CHLD} = 'IGNORE';
my ($port, $text) = @ARGV;
my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 1024, ReuseAddr => 1) or die "$port: $!";
while (1) {
  my $client = $server->accept or next;
  my $child = fork;
  next if $child;
  $client->autoflush(1);
  if (open my $delay, '<', '/etc/greeter.delay') { select undef, undef, undef, <$delay>; }
  print $client "220 $text\r\n";
  while (defined(my $line = <$client>)) {
    if ($line =~ /^QUIT/) { print $client "221 bye\r\n"; exit 0; }
    if ($line =~ /^WHO/) { print $client "250 ", $client->peerhost, "\r\n"; next; }
    if ($line =~ /^SLOW/) { sleep 2; }
    print $client "250 ok\r\n";
  }
  exit 0;
}
