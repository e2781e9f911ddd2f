import { execFile } from 'node:child_process';

/** A packet as tshark shows it. */
export type TsharkPacket = {
  /** In seconds since 1970, with nine digits; 0 if it has no time. */
  readonly time: string;
  readonly originalBytes: string;
  readonly capturedBytes: string;
  /** Undefined if the capture does not name its interface. */
  readonly interfaceName: string | undefined;
  /** From the second section of pcapng on, tshark 4.0 takes the names of the first one. */
  readonly isNameWrong: boolean;
  /** Of the captured bytes. */
  readonly md5: string;
};

const fields = [
  'frame.time_epoch',
  'frame.len',
  'frame.cap_len',
  'frame.md5_hash',
  'frame.interface_name',
  'frame.interface_description',
  'frame.section_number',
  'frame.encap_type',
];

/** The packets of a file; undefined if tshark cannot read all of it. */
export async function tsharkPackets(file: string): Promise<readonly TsharkPacket[] | undefined> {
  const args = ['-n', '-r', file, '-o', 'frame.generate_md5_hash:TRUE', '-T', 'fields'];
  const output = await new Promise<string | undefined>((resolve) => {
    const options = { maxBuffer: 64 * 1024 * 1024 };
    execFile('tshark', [...args, ...fields.flatMap((field) => ['-e', field])], options, (error, stdout) =>
      resolve(error ? undefined : stdout),
    );
  });
  return output?.split('\n').flatMap(packetIn);
}

function packetIn(line: string): readonly TsharkPacket[] {
  const [time, originalBytes = '', capturedBytes = '', md5 = '', ...more] = line.split('\t');
  const [name = '', description, section, encapsulation = ''] = more;
  // tshark shows custom blocks as well.
  if (encapsulation === '') return [];
  return [
    {
      time: time || '0.000000000',
      originalBytes,
      capturedBytes,
      // Without a name, tshark shows the description as the name, or a word of its own.
      interfaceName: name === description || name === 'unknown' ? undefined : name || undefined,
      isNameWrong: section !== '' && section !== '1',
      md5,
    },
  ];
}
