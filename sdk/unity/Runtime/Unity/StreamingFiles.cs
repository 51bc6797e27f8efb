// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections;
using System.Collections.Concurrent;
using System.IO;
using Segue.Audio;
using Segue.Wire;
using UnityEngine;
using UnityEngine.Networking;
using Object = UnityEngine.Object;

namespace Segue
{
    /// <summary>
    /// What `segue bake` wrote, in memory: fetched by UnityWebRequest, so that it may lie within an Android package, and decoded by
    /// Unity where it is not WAV; 4.6 MB a loop of 24 s. Load is a coroutine of the main thread; the rest may be used from anywhere.
    /// </summary>
    public sealed class StreamingFiles : IBakedFiles, IDisposable
    {
        private const int Piece = 16384;
        private const int Pieces = 4;
        private readonly ConcurrentDictionary<string, byte[]> _files = new ConcurrentDictionary<string, byte[]>();
        private readonly ConcurrentDictionary<string, Decoded> _decoded = new ConcurrentDictionary<string, Decoded>();

        private UnityWebRequest _request;
        private AudioClip _clip;
        private bool _isDisposed;

        /// <summary>The manifest and what can be read of its files, once Load has come to its end; null: it could not be read.</summary>
        public BakedFolder Folder { get; private set; }

        /// <summary>A file of a folder below StreamingAssets, as UnityWebRequest takes it. The main thread's.</summary>
        public static string Address(string folder, string path)
        {
            string root = Application.streamingAssetsPath;
            if (!root.Contains("://")) return new Uri(Path.GetFullPath(Path.Combine(root, folder, path))).AbsoluteUri;
            string address = root.TrimEnd('/') + "/" + folder.Trim('/') + "/" + path;
            return address.StartsWith("http", StringComparison.Ordinal) ? new Uri(address).AbsoluteUri : address;
        }

        /// <summary>Coroutine: the manifest, then the files that it names, one after the other.</summary>
        /// <param name="folder">Below StreamingAssets.</param>
        /// <param name="failed">Told once of every file that can't be had, by its name.</param>
        public IEnumerator Load(string folder, Action<string> failed)
        {
            const string manifest = "manifest.json";
            yield return Fetch(folder, manifest, failed);
            if (!_files.ContainsKey(manifest)) yield break;
            BakedFolder found;
            try
            {
                found = new BakedFolder(this);
            }
            catch (MalformedException error)
            {
                failed(folder + "/" + error.Message);
                yield break;
            }
            foreach (string path in found.Files())
            {
                yield return IsWav(path) ? Fetch(folder, path, failed) : FetchClip(folder, path, failed);
                if (_isDisposed) yield break;
            }
            Folder = found;
        }

        public byte[] Read(string path)
        {
            if (_files.TryGetValue(path, out var file)) return file;
            if (_decoded.ContainsKey(path)) return Array.Empty<byte>();
            throw new MissingException(path);
        }

        public short[] Decode(string path, byte[] file, out int rate)
        {
            bool isThere = _decoded.TryGetValue(path, out var decoded);
            rate = isThere ? decoded.Rate : 0;
            return isThere ? decoded.Samples : null;
        }

        /// <summary>End Load, and give back what is being fetched: a coroutine that is stopped is not told. What was loaded stays.</summary>
        public void Dispose()
        {
            _isDisposed = true;
            Release();
        }

        internal static bool IsWav(string path) => path.EndsWith(".wav", StringComparison.Ordinal);

        private IEnumerator Fetch(string folder, string path, Action<string> failed)
        {
            var request = _request = UnityWebRequest.Get(Address(folder, path));
            yield return request.SendWebRequest();
            if (_isDisposed) yield break;
            if (request.result == UnityWebRequest.Result.Success) _files[path] = request.downloadHandler.data;
            else failed(folder + "/" + path + ": " + request.error);
            Release();
        }

        private IEnumerator FetchClip(string folder, string path, Action<string> failed)
        {
            var request = _request = UnityWebRequestMultimedia.GetAudioClip(Address(folder, path), Kind(path));
            yield return request.SendWebRequest();
            if (_isDisposed) yield break;
            if (request.result == UnityWebRequest.Result.Success) _clip = DownloadHandlerAudioClip.GetContent(request);
            while (_clip != null && _clip.loadState == AudioDataLoadState.Loading) yield return null;
            if (_clip != null && _clip.samples > 0) yield return Take(_clip, path);
            if (_isDisposed) yield break;
            if (!_decoded.ContainsKey(path))
                failed(folder + "/" + path + ": " + (string.IsNullOrEmpty(request.error) ? "Unity can't decode it; WAV and Ogg Vorbis it can" : request.error));
            Release();
        }

        private IEnumerator Take(AudioClip clip, string path)
        {
            var decoded = new Decoded(new short[2 * clip.samples], clip.frequency);
            int length = clip.samples, channels = clip.channels;
            var piece = new float[Piece * channels];
            for (int at = 0, n = 1; at < length; at += Piece, n++)
            {
                int count = Math.Min(Piece, length - at);
                if (count < Piece) piece = new float[count * channels];
                if (_isDisposed || !clip.GetData(piece, at)) yield break;
                decoded.Put(piece, at, count, channels);
                // A second or so a frame: a whole loop would be felt.
                if (n % Pieces == 0) yield return null;
            }
            _decoded[path] = decoded;
        }

        private void Release()
        {
            _request?.Dispose();
            _request = null;
            if (_clip != null) Object.Destroy(_clip);
            _clip = null;
        }

        private static AudioType Kind(string path)
        {
            switch (Path.GetExtension(path).ToLowerInvariant())
            {
                case ".ogg": return AudioType.OGGVORBIS;
                case ".mp3": return AudioType.MPEG;
                case ".aif":
                case ".aiff": return AudioType.AIFF;
                default: return AudioType.UNKNOWN;
            }
        }

        /// <summary>A file that Load has already told of.</summary>
        internal sealed class MissingException : IOException
        {
            public MissingException(string path) : base(path + ": it could not be loaded") { }
        }

        private sealed class Decoded
        {
            public readonly short[] Samples;
            public readonly int Rate;

            public Decoded(short[] samples, int rate)
            {
                Samples = samples;
                Rate = rate;
            }

            /// <summary>Frames of any channels as left and right; what is beyond two is left out.</summary>
            public void Put(float[] from, int at, int count, int channels)
            {
                for (int i = 0; i < count; i++)
                {
                    Samples[2 * (at + i)] = Short(from[i * channels]);
                    Samples[2 * (at + i) + 1] = Short(from[i * channels + (channels > 1 ? 1 : 0)]);
                }
            }

            private static short Short(float value) => (short)Math.Max(-32768f, Math.Min(32767f, (float)Math.Round(value * 32768f)));
        }
    }
}
